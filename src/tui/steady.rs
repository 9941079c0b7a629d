//! What terminals disagree on: a family of emoji is two cells wide for one and six for another, and whatever is drawn
//! behind it stands elsewhere than we think, until all is drawn anew. So what is behind it is drawn again and again, at its
//! place; where there is no room for the widest reading, only what has one width everywhere is drawn.

use std::num::NonZeroU16;

use ratatui::buffer::{Buffer, Cell, CellDiffOption};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Cells of a character that is drawn whole.
const WIDE: NonZeroU16 = NonZeroU16::new(2).unwrap();

/// Has every cell show what stays in its place everywhere.
pub fn steady(buffer: &mut Buffer) {
    let width = usize::from(buffer.area.width).max(1);
    for at in 0..buffer.content.len() {
        let cell = &mut buffer.content[at];
        if cell.symbol().is_ascii() {
            continue;
        }
        let Some(plain) = plain(cell.symbol()) else { continue };
        let room = width - at % width;
        if let Some(widest) = widest(cell.symbol()).filter(|widest| *widest < room) {
            keep(&mut buffer.content[at..at + widest]);
            continue;
        }
        let style = cell.style();
        // Two letters are two cells: whoever draws over a wide one takes its second half for gone.
        for (cell, letter) in buffer.content[at..].iter_mut().take(room).zip(plain.chars()) {
            cell.set_char(letter).set_style(style);
        }
    }
}

/// How many cells the most generous terminal gives a character that is two wide for us; none for any other.
fn widest(symbol: &str) -> Option<usize> {
    let wide = |c: char| if is_flag(c) { 2 } else { c.width().unwrap_or(0) };
    let all: usize = symbol.chars().map(wide).sum();
    (symbol.width() == usize::from(WIDE.get())).then_some(all.max(usize::from(WIDE.get())))
}

/// Keeps a character whole that begins in the first of these cells, which are all that it may cover.
fn keep(cells: &mut [Cell]) {
    let (own, behind) = cells.split_at_mut(usize::from(WIDE.get()).min(cells.len()));
    if let Some(first) = own.first_mut() {
        first.set_diff_option(CellDiffOption::ForcedWidth(WIDE));
    }
    for cell in behind {
        cell.set_diff_option(CellDiffOption::AlwaysUpdate);
    }
}

/// Whether a character was kept whole of which terminals disagree how wide it is; for us its cell and the next one are it.
pub fn is_whole(cell: &Cell) -> bool {
    cell.diff_option == CellDiffOption::ForcedWidth(WIDE)
}

/// The part of a character that all terminals agree on; nothing where that is all of it.
fn plain(symbol: &str) -> Option<String> {
    let mut chars = symbol.chars();
    let first = chars.next()?;
    if symbol.chars().any(is_flag) {
        return Some(symbol.chars().map(letter).collect());
    }
    if is_tone(first) {
        return Some(" ".to_owned());
    }
    let is_wide = first.width() == Some(2);
    // A joiner matters in scripts too, where it takes no room.
    let is_odd = |c: char| is_variant(c) || is_tone(c) || (c == '\u{200d}' && is_wide);
    chars.any(is_odd).then(|| first.to_string())
}

/// Half of a flag: one cell or two, alone or with the other half.
fn is_flag(c: char) -> bool {
    matches!(c, '\u{1f1e6}'..='\u{1f1ff}')
}

/// The letter that half of a flag stands for.
fn letter(c: char) -> char {
    let place = u32::from(c).checked_sub(0x1f1e6).filter(|_| is_flag(c));
    place.and_then(|place| char::from_u32(u32::from('A') + place)).unwrap_or(c)
}

/// The colour of a skin, which some draw into what is before it.
fn is_tone(c: char) -> bool {
    matches!(c, '\u{1f3fb}'..='\u{1f3ff}')
}

/// Has what is before it look otherwise, and be wider or not: as text, as emoji, as a key, as the flag of a region.
fn is_variant(c: char) -> bool {
    matches!(c, '\u{fe0e}' | '\u{fe0f}' | '\u{20e3}' | '\u{e0020}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_one_width_stays_as_it_is() {
        for symbol in ["a", " ", "長", "🏠", "e\u{301}", "क\u{94d}\u{200d}ष", "س", "…", "█"] {
            assert_eq!(plain(symbol), None, "{symbol}");
        }
    }

    #[test]
    fn of_what_has_several_the_sure_part_is_left() {
        let left = [("👩\u{200d}👧", "👩"), ("❤\u{fe0f}", "❤"), ("1\u{fe0f}\u{20e3}", "1"), ("👍🏽", "👍"), ("🇯🇵", "JP")];
        for (symbol, sure) in left {
            assert_eq!(plain(symbol).as_deref(), Some(sure), "{symbol}");
        }
        assert_eq!(plain("🏽").as_deref(), Some(" "));
        assert_eq!(plain("🇯").as_deref(), Some("J"));
    }

    fn symbols(line: &str) -> Buffer {
        let mut buffer = Buffer::with_lines([line]);
        steady(&mut buffer);
        buffer
    }

    #[test]
    fn with_room_they_are_whole_and_what_is_behind_them_is_drawn_again() {
        let buffer = symbols("👩\u{200d}👩\u{200d}👧abcdef");
        assert_eq!(buffer.content[0].symbol(), "👩\u{200d}👩\u{200d}👧");
        let again = |cell: &Cell| cell.diff_option == CellDiffOption::AlwaysUpdate;
        assert_eq!(
            buffer.content.iter().map(again).collect::<Vec<_>>(),
            [false, false, true, true, true, true, false, false]
        );
        // Where it may reach the edge, a terminal could go on in the next row.
        let shown = |line| symbols(line).content.iter().map(|cell| cell.symbol().to_owned()).collect::<String>();
        assert_eq!([shown("🇯🇵x"), shown("🇯🇵xyz")], ["JPx".to_owned(), "🇯🇵 xyz".to_owned()]);
        assert_eq!(shown("👩\u{200d}👧ab"), "👩 ab");
    }
}
