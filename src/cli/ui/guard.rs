//! Characters that terminals find differently wide leave nothing of what was there before.

use ratatui::buffer::Buffer;

use crate::tui::is_whole;

/// Two ways to clear two cells and stand before them. What differs from the frame before is drawn.
const CLEARED: [&str; 2] = ["  \u{8}\u{8}", "  \u{8} \u{8}\u{8}"];
/// In the place of what is never drawn, so that whatever takes that place is: no text is cut like this.
const HIDDEN: &str = " \u{200b}";

/// Has a terminal clear the cells of each character of which it may think otherwise than we before it draws that: one that
/// finds it narrower would leave there what was there before. It is drawn with each frame, as one before it may have been
/// drawn over it; and its second cell is drawn when it has gone, as for some two letters were there.
pub fn guard(buffer: &mut Buffer, frame: usize) {
    for at in 0..buffer.content.len() {
        if !is_whole(&buffer.content[at]) {
            continue;
        }
        let symbol = format!("{}{}", CLEARED[frame % 2], buffer.content[at].symbol());
        buffer.content[at].set_symbol(&symbol);
        if let Some(second) = buffer.content.get_mut(at + 1) {
            second.set_symbol(HIDDEN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::steady;

    fn frame(line: &str, number: usize) -> Buffer {
        let mut buffer = Buffer::with_lines([line]);
        steady(&mut buffer);
        guard(&mut buffer, number);
        buffer
    }

    /// What is drawn of a frame after another: columns and symbols.
    fn drawn(before: &Buffer, after: &Buffer) -> Vec<(u16, String)> {
        before.diff(after).into_iter().map(|(x, _, cell)| (x, cell.symbol().to_owned())).collect()
    }

    #[test]
    fn a_terminal_clears_before_it_draws_what_it_may_find_narrower() {
        let all = drawn(&Buffer::with_lines(["      "]), &frame("❤\u{fe0f}abc ", 0));
        let told = ["  \u{8}\u{8}❤\u{fe0f}", "a", "b", "c"].map(str::to_owned);
        assert_eq!(all, [0, 2, 3, 4].into_iter().zip(told).collect::<Vec<_>>());
    }

    /// Where a flag was two letters for a terminal, each has a cell that is to be drawn over.
    #[test]
    fn nothing_stays_of_a_flag_that_was_two_letters() {
        let columns = |after: &str| {
            drawn(&frame("🇯🇵   xyz", 0), &frame(after, 1)).into_iter().map(|(x, _)| x).collect::<Vec<_>>()
        };
        assert_eq!(columns("     xyz"), [0, 1, 2, 3]);
        // A wide one takes both.
        assert_eq!(columns("長   xyz"), [0, 2, 3]);
    }

    #[test]
    fn one_behind_another_is_drawn_again_with_it() {
        let of = |number| frame("👩\u{200d}👩\u{200d}👧🇯🇵🇩🇪abcdef", number);
        let again: Vec<u16> = drawn(&of(0), &of(1)).into_iter().map(|(x, _)| x).collect();
        assert_eq!(again, [0, 2, 4, 6, 7]);
    }
}
