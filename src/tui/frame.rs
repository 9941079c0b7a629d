//! A frame without a terminal: the cells that a screen of some size would have.

use jiff::Timestamp;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::app::App;
use super::draw::draw;

/// What a screen of so many columns and rows shows at a time.
pub fn frame(app: &mut App, (columns, rows): (u16, u16), now: Timestamp) -> Buffer {
    let drawn = Terminal::new(TestBackend::new(columns, rows))
        .map(|mut terminal| terminal.draw(|frame| draw(app, frame, now)).map(|done| done.buffer.clone()));
    // A screen in memory has no way to fail.
    drawn.ok().and_then(Result::ok).unwrap_or_else(|| Buffer::empty(Rect::new(0, 0, columns, rows)))
}

/// Its text, a line a row, without white space at their ends.
pub fn text(buffer: &Buffer) -> String {
    let mut out = String::new();
    for row in 0..buffer.area.height {
        let (mut line, mut column) = (String::new(), 0);
        while let Some(cell) = buffer.cell((column, row)).filter(|_| column < buffer.area.width) {
            line.push_str(cell.symbol());
            // A wide character has the next cell too.
            column += u16::try_from(cell.symbol().width().max(1)).unwrap_or(1);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
