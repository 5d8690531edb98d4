//! The ratios as a picture: one bar for recording and one for replay beside each workload in each order.

use crate::measure::{Measured, Ordered};
use anyhow::{Context, Result, anyhow};
use plotters::prelude::*;
use std::path::Path;

const ROW: u32 = 46;
const RECORDED: RGBColor = RGBColor(37, 99, 160);
const REPLAYED: RGBColor = RGBColor(224, 145, 45);
const NATIVE: RGBColor = RGBColor(120, 120, 120);

/// A workload in one order.
struct Bars<'a> {
    name: String,
    order: &'a Ordered,
}

/// Writes an SVG file.
pub fn write(path: &Path, results: &[Measured]) -> Result<()> {
    let rows: Vec<Bars> = results.iter().flat_map(bars).collect();
    let size = (900, ROW * rows.len() as u32 + 110);
    let canvas = SVGBackend::new(path, size).into_drawing_area();
    draw(&canvas, &rows)
        .map_err(|error| anyhow!("{error}"))
        .with_context(|| format!("cannot write {}", path.display()))
}

fn bars(measured: &Measured) -> impl Iterator<Item = Bars<'_>> {
    let serial = |order: &Ordered| order.order == "serial";
    measured.orders.iter().map(move |order| Bars {
        name: if serial(order) {
            measured.name.clone()
        } else {
            format!("{}, {}", measured.name, order.order)
        },
        order,
    })
}

fn draw(
    canvas: &DrawingArea<SVGBackend, plotters::coord::Shift>,
    results: &[Bars],
) -> Result<(), Box<dyn std::error::Error>> {
    canvas.fill(&WHITE)?;
    let most = results
        .iter()
        .flat_map(|result| [result.order.recorded.ratio.most, result.order.replayed.ratio.most])
        .fold(2.0, f64::max);
    let least = results
        .iter()
        .flat_map(|result| [result.order.recorded.ratio.least, result.order.replayed.ratio.least])
        .fold(0.5, f64::min);
    let rows = results.len() as f64;
    let mut chart = ChartBuilder::on(canvas)
        .caption("Time, as a multiple of native (logarithmic)", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(32)
        .y_label_area_size(280)
        .build_cartesian_2d((least * 0.9..most * 1.1).log_scale(), rows..0.0)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .y_labels(0)
        .x_label_formatter(&|ratio| format!("{ratio}x"))
        .draw()?;
    for (row, result) in results.iter().enumerate() {
        let top = row as f64;
        let (left, below) = chart.plotting_area().map_coordinate(&(least * 0.9, top + 0.35));
        canvas.draw(&Text::new(result.name.clone(), (left - 272, below), ("sans-serif", 13)))?;
        for (summary, from, colour) in
            [(result.order.recorded.ratio, 0.15, RECORDED), (result.order.replayed.ratio, 0.5, REPLAYED)]
        {
            let bar = [(1.0, top + from), (summary.median, top + from + 0.32)];
            chart.draw_series([Rectangle::new(bar, colour.filled())])?;
            let middle = top + from + 0.16;
            chart
                .draw_series([PathElement::new([(summary.least, middle), (summary.most, middle)], BLACK)])?;
        }
    }
    chart.draw_series([PathElement::new([(1.0, 0.0), (1.0, rows)], NATIVE.stroke_width(2))])?.label("native");
    for (name, colour, at) in [("recorded", RECORDED, 20), ("replayed", REPLAYED, 110)] {
        let bottom = (ROW * results.len() as u32 + 88) as i32;
        canvas.draw(&Rectangle::new([(at, bottom), (at + 14, bottom + 12)], colour.filled()))?;
        canvas.draw(&Text::new(name, (at + 20, bottom), ("sans-serif", 13)))?;
    }
    canvas.present()?;
    Ok(())
}
