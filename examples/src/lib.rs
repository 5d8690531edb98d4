//! Programs that each show one source of nondeterminism or one class of bug, and the harness that proves that
//! they, and real programs, are replayed identically.
//!
//! * `programs/` has the programs, one file each, by subject;
//! * [`sources`] is the table of them, [`debian`] the table of real programs: a row is a [`case::Case`];
//! * [`proof`] records a case, destroys its circumstances, replays it and compares;
//! * `tests/` hands the tables to the test runner. [`settings`] lists the variables that steer a run.

pub mod case;
pub mod debian;
pub mod difference;
pub mod index;
pub mod inputs;
pub mod load;
pub mod process_tree;
pub mod programs;
pub mod proof;
pub mod recorder;
pub mod run;
pub mod runner;
pub mod settings;
pub mod sources;
pub mod terminal;
