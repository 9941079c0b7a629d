//! A drawn buffer as a picture.

use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

use crate::view::xml::escaped;

/// Pixels of a cell, at 14 pixels of type.
const CELL: (f64, f64) = (8.4, 18.0);
const BACKGROUND: &str = "#16181d";
const FOREGROUND: &str = "#d7dae0";

/// The buffer as an SVG document that needs no font but a monospaced one.
pub fn svg(buffer: &Buffer) -> String {
    let (columns, rows) = (f64::from(buffer.area.width), f64::from(buffer.area.height));
    let (width, height) = (columns * CELL.0 + 16.0, rows * CELL.1 + 16.0);
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>"
    );
    for row in 0..buffer.area.height {
        for (start, text, style) in runs(buffer, row) {
            run(&mut out, row, start, &text, &style);
        }
    }
    out.push_str("</svg>\n");
    out
}

#[derive(PartialEq, Clone)]
struct Look {
    foreground: String,
    background: Option<String>,
    bold: bool,
}

/// Neighbouring cells that look alike.
fn runs(buffer: &Buffer, row: u16) -> Vec<(u16, String, Look)> {
    let mut runs: Vec<(u16, String, Look)> = Vec::new();
    let mut column = 0;
    while column < buffer.area.width {
        let Some(cell) = buffer.cell((column, row)) else { break };
        let style = look(cell);
        match runs.last_mut() {
            Some((_, text, known)) if *known == style => text.push_str(cell.symbol()),
            _ => runs.push((column, cell.symbol().to_owned(), style)),
        }
        column += u16::try_from(cell.symbol().width().max(1)).unwrap_or(1);
    }
    runs
}

fn run(out: &mut String, row: u16, start: u16, text: &str, style: &Look) {
    let (x, y) = (8.0 + f64::from(start) * CELL.0, 8.0 + f64::from(row) * CELL.1);
    #[allow(clippy::cast_precision_loss, reason = "a screen's width")]
    let length = text.width() as f64 * CELL.0;
    if let Some(background) = &style.background {
        let _ = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"{}\" fill=\"{background}\"/>",
            CELL.1
        );
    }
    if text.trim().is_empty() {
        return;
    }
    let escaped = escaped(text);
    let bold = if style.bold { " font-weight=\"bold\"" } else { "" };
    let _ = writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{:.1}\" fill=\"{}\"{bold} xml:space=\"preserve\" textLength=\"{length:.1}\" \
         lengthAdjust=\"spacingAndGlyphs\">{escaped}</text>",
        y + 13.5,
        style.foreground
    );
}

fn look(cell: &Cell) -> Look {
    let mut foreground = color(cell.fg).unwrap_or(FOREGROUND);
    let mut background = color(cell.bg);
    if cell.modifier.contains(Modifier::REVERSED) {
        let under = background.unwrap_or(BACKGROUND);
        background = Some(foreground);
        foreground = under;
    }
    if cell.modifier.contains(Modifier::DIM) {
        foreground = "#7d828c";
    }
    Look {
        foreground: foreground.to_owned(),
        background: background.map(str::to_owned),
        bold: cell.modifier.contains(Modifier::BOLD),
    }
}

fn color(color: Color) -> Option<&'static str> {
    Some(match color {
        Color::Black => BACKGROUND,
        Color::Red | Color::LightRed => "#f0717a",
        Color::Green | Color::LightGreen => "#8fc379",
        Color::Yellow | Color::LightYellow => "#e6c07b",
        Color::Blue | Color::LightBlue => "#62aeef",
        Color::Magenta | Color::LightMagenta => "#c678dd",
        Color::Cyan | Color::LightCyan => "#5cc5cf",
        Color::DarkGray | Color::Gray => "#7d828c",
        Color::White => "#ffffff",
        _ => return None,
    })
}
