//! The ratios as a picture: one bar for recording and one for replay beside each workload.

use crate::measure::Measured;
use anyhow::{Context, Result, anyhow};
use plotters::prelude::*;
use std::path::Path;

const ROW: u32 = 46;
const RECORDED: RGBColor = RGBColor(37, 99, 160);
const REPLAYED: RGBColor = RGBColor(224, 145, 45);
const NATIVE: RGBColor = RGBColor(120, 120, 120);

/// Writes an SVG file.
pub fn write(path: &Path, results: &[Measured]) -> Result<()> {
    let size = (900, ROW * results.len() as u32 + 110);
    let canvas = SVGBackend::new(path, size).into_drawing_area();
    draw(&canvas, results)
        .map_err(|error| anyhow!("{error}"))
        .with_context(|| format!("cannot write {}", path.display()))
}

fn draw(
    canvas: &DrawingArea<SVGBackend, plotters::coord::Shift>,
    results: &[Measured],
) -> Result<(), Box<dyn std::error::Error>> {
    canvas.fill(&WHITE)?;
    let most = results
        .iter()
        .flat_map(|result| [result.recorded_ratio.most, result.replayed_ratio.most])
        .fold(2.0, f64::max);
    let least = results
        .iter()
        .flat_map(|result| [result.recorded_ratio.least, result.replayed_ratio.least])
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
        canvas.draw(&Text::new(result.name, (left - 272, below), ("sans-serif", 13)))?;
        for (summary, from, colour) in
            [(result.recorded_ratio, 0.15, RECORDED), (result.replayed_ratio, 0.5, REPLAYED)]
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
