//! What a query asks for.

use sqlparser::ast::{Expr, Ident, Query, SelectItem, SetExpr, TableFactor, Visit, Visitor};
use sqlparser::dialect::DuckDbDialect;
use sqlparser::parser::Parser;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// The columns of each table.
pub type Tables = BTreeMap<String, BTreeSet<String>>;

/// A query's names.
#[derive(Default)]
struct Names {
    /// Its tables, with the name that each has in it.
    tables: Vec<(String, Option<String>)>,
    /// Columns, with the table's name if there is one before it.
    columns: Vec<(Option<String>, String)>,
    /// What it calls its own results.
    results: BTreeSet<String>,
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if let SetExpr::Select(select) = &*query.body {
            for item in &select.projection {
                if let SelectItem::ExprWithAlias { alias, .. } = item {
                    self.results.insert(alias.value.clone());
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, alias, .. } = factor {
            let file = name.0.last().and_then(|part| part.as_ident()).unwrap();
            let table = file.value.strip_suffix("/*.parquet").unwrap_or(&file.value).to_owned();
            self.tables.push((table, alias.as_ref().map(|alias| alias.name.value.clone())));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        match expression {
            Expr::Identifier(Ident { value, .. }) => self.columns.push((None, value.clone())),
            Expr::CompoundIdentifier(parts) => {
                let [table, column] = &parts[..] else { panic!("{expression}: what is that?") };
                self.columns.push((Some(table.value.clone()), column.value.clone()));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// What a query asks for that is not in `known`: nothing, if it can be answered.
pub fn missing(query: &str, known: &Tables) -> Vec<String> {
    let statements =
        Parser::parse_sql(&DuckDbDialect {}, query).unwrap_or_else(|error| panic!("{error}: {query}"));
    let mut names = Names::default();
    let _ = statements.visit(&mut names);
    assert!(!names.tables.is_empty() && !names.columns.is_empty(), "{query}");
    let no_table = names.tables.iter().filter(|(table, _)| !known.contains_key(table));
    let has = |column: &(Option<String>, String)| {
        let (of, column) = column;
        // Without a table's name before it, it may be in any.
        let mut tables = names.tables.iter().filter(|(_, alias)| of.is_none() || alias == of);
        tables.any(|(table, _)| known.get(table).is_some_and(|columns| columns.contains(column)))
            || of.is_none() && names.results.contains(column)
    };
    let no_column = names.columns.iter().filter(|column| !has(column));
    no_table
        .map(|(table, _)| table.clone())
        .chain(no_column.map(|(of, column)| format!("{}.{column}", of.as_deref().unwrap_or_default())))
        .collect()
}

#[test]
fn what_is_not_there_is_missing() {
    let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let known =
        Tables::from([("a".to_owned(), columns(&["x", "y"])), ("b".to_owned(), columns(&["x", "z"]))]);
    let missing = |query: &str| missing(query, &known);
    assert!(missing("SELECT x, count(*) AS times FROM 'a/*.parquet' ORDER BY times").is_empty());
    assert!(missing("SELECT a.y FROM 'a/*.parquet' a JOIN 'b/*.parquet' b USING (x) WHERE z > 1").is_empty());
    assert_eq!(missing("SELECT x, z FROM 'a/*.parquet' ORDER BY times"), [".z", ".times"]);
    assert_eq!(missing("SELECT b.y FROM 'a/*.parquet' a JOIN 'b/*.parquet' b USING (x)"), ["b.y"]);
    assert_eq!(
        missing("SELECT x FROM 'a/*.parquet' SEMI JOIN (SELECT * FROM 'c/*.parquet') USING (x)"),
        ["c"]
    );
}
