//! Keys and clicks as the bytes that a terminal sends for them (xterm's, as `infocmp xterm` and its ctlseqs have them).

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use vt100::{MouseProtocolEncoding, MouseProtocolMode, Screen};

/// What was pasted, between marks for a program that has asked for them (DECSET 2004). Its lines end as Enter ends them, and
/// it cannot end itself: no Esc is in it.
pub fn pasted(text: &str, screen: &Screen) -> Vec<u8> {
    let text = text.replace("\r\n", "\r").replace('\n', "\r").replace('\x1b', "");
    match screen.bracketed_paste() {
        true => format!("\x1b[200~{text}\x1b[201~").into_bytes(),
        false => text.into_bytes(),
    }
}

/// What a key is to a program that has asked for this; nothing, where a terminal sends nothing for it.
pub fn key(key: KeyEvent, screen: &Screen) -> Vec<u8> {
    let mut out = Vec::new();
    // Alt is an Esc in front, but where a number tells of it.
    if key.modifiers.contains(KeyModifiers::ALT) && is_plain(key.code) {
        out.push(0x1b);
    }
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char(c) => match controlled(c).filter(|_| control) {
            Some(byte) => out.push(byte),
            None => out.extend(c.encode_utf8(&mut [0; 4]).bytes()),
        },
        KeyCode::Enter => out.push(b'\r'),
        KeyCode::Tab => out.push(b'\t'),
        KeyCode::BackTab => out.extend(b"\x1b[Z"),
        KeyCode::Backspace => out.push(if control { 8 } else { 0x7f }),
        KeyCode::Esc => out.push(0x1b),
        code => out.extend(named(code, key.modifiers, screen.application_cursor()).bytes()),
    }
    out
}

fn is_plain(code: KeyCode) -> bool {
    matches!(code, KeyCode::Char(_) | KeyCode::Enter | KeyCode::Tab | KeyCode::Backspace | KeyCode::Esc)
}

/// The character that Ctrl makes of one; the digits are what crossterm calls those that have no letter.
fn controlled(c: char) -> Option<u8> {
    match c {
        'a'..='z' | 'A'..='Z' => u8::try_from(c).ok().map(|byte| byte & 0x1f),
        ' ' | '@' | '2' => Some(0),
        '[' | '3' => Some(0x1b),
        '\\' | '4' => Some(0x1c),
        ']' | '5' => Some(0x1d),
        '^' | '6' => Some(0x1e),
        '_' | '/' | '7' => Some(0x1f),
        '?' | '8' => Some(0x7f),
        _ => None,
    }
}

/// A key that has no character.
fn named(code: KeyCode, modifiers: KeyModifiers, application: bool) -> String {
    let held = [(KeyModifiers::SHIFT, 1), (KeyModifiers::ALT, 2), (KeyModifiers::CONTROL, 4)];
    let number = 1 + held.iter().filter(|(it, _)| modifiers.contains(*it)).map(|(_, bit)| bit).sum::<u8>();
    let letter = match code {
        KeyCode::Up => Some('A'),
        KeyCode::Down => Some('B'),
        KeyCode::Right => Some('C'),
        KeyCode::Left => Some('D'),
        KeyCode::Home => Some('H'),
        KeyCode::End => Some('F'),
        KeyCode::F(1) => Some('P'),
        KeyCode::F(2) => Some('Q'),
        KeyCode::F(3) => Some('R'),
        KeyCode::F(4) => Some('S'),
        _ => None,
    };
    if let Some(letter) = letter {
        return match (number, matches!(code, KeyCode::F(_)) || application) {
            (1, true) => format!("\x1bO{letter}"),
            (1, false) => format!("\x1b[{letter}"),
            (number, _) => format!("\x1b[1;{number}{letter}"),
        };
    }
    let key = match code {
        KeyCode::Insert => 2,
        KeyCode::Delete => 3,
        KeyCode::PageUp => 5,
        KeyCode::PageDown => 6,
        KeyCode::F(5) => 15,
        KeyCode::F(key @ 6..=10) => key + 11,
        KeyCode::F(key @ 11..=12) => key + 12,
        _ => return String::new(),
    };
    if number == 1 { format!("\x1b[{key}~") } else { format!("\x1b[{key};{number}~") }
}

/// What the mouse did at a cell, counted from 0, for a program that has asked for it; nothing for any other.
pub fn mouse(event: MouseEvent, (column, row): (u16, u16), screen: &Screen) -> Vec<u8> {
    let mode = screen.mouse_protocol_mode();
    let (button, is_release) = match event.kind {
        MouseEventKind::Down(button) => (number(button), false),
        MouseEventKind::Up(button) => (number(button), true),
        MouseEventKind::ScrollUp => (64, false),
        MouseEventKind::ScrollDown => (65, false),
        _ => return Vec::new(),
    };
    if mode == MouseProtocolMode::None || (is_release && mode == MouseProtocolMode::Press) {
        return Vec::new();
    }
    let held = [(KeyModifiers::SHIFT, 4), (KeyModifiers::ALT, 8), (KeyModifiers::CONTROL, 16)];
    let held: u8 = held.iter().filter(|(it, _)| event.modifiers.contains(*it)).map(|(_, bit)| bit).sum();
    if screen.mouse_protocol_encoding() == MouseProtocolEncoding::Sgr {
        let end = if is_release { 'm' } else { 'M' };
        return format!("\x1b[<{};{};{}{end}", button + held, column + 1, row + 1).into_bytes();
    }
    // The first form has a byte for each, and tells not which button was released.
    let byte = |at: u16| u8::try_from(at.saturating_add(33)).unwrap_or(u8::MAX);
    let button = if is_release { 3 } else { button };
    vec![0x1b, b'[', b'M', 32 + button + held, byte(column), byte(row)]
}

fn number(button: MouseButton) -> u8 {
    match button {
        MouseButton::Left => 0,
        MouseButton::Middle => 1,
        MouseButton::Right => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(drawn: &[u8]) -> vt100::Parser {
        let mut parser = vt100::Parser::new(24, 80, 0);
        parser.process(drawn);
        parser
    }

    #[test]
    fn a_paste_is_marked_for_whoever_asked_and_cannot_end_itself() {
        let mut parser = vt100::Parser::new(2, 20, 0);
        assert_eq!(pasted("a\r\nb\nc", parser.screen()), b"a\rb\rc");
        parser.process(b"\x1b[?2004h");
        assert_eq!(pasted("a\x1b[201~b", parser.screen()), b"\x1b[200~a[201~b\x1b[201~");
    }

    #[test]
    fn keys_are_what_xterm_sends() {
        const NONE: KeyModifiers = KeyModifiers::NONE;
        const CONTROL: KeyModifiers = KeyModifiers::CONTROL;
        let cases: [(KeyCode, KeyModifiers, &str); 22] = [
            (KeyCode::Char('x'), NONE, "x"),
            (KeyCode::Char('X'), KeyModifiers::SHIFT, "X"),
            (KeyCode::Char('長'), NONE, "長"),
            (KeyCode::Char('c'), CONTROL, "\x03"),
            (KeyCode::Char(' '), CONTROL, "\0"),
            (KeyCode::Char('5'), CONTROL, "\x1d"),
            (KeyCode::Char('b'), KeyModifiers::ALT, "\x1bb"),
            (KeyCode::Enter, NONE, "\r"),
            (KeyCode::Tab, NONE, "\t"),
            (KeyCode::BackTab, KeyModifiers::SHIFT, "\x1b[Z"),
            (KeyCode::Backspace, NONE, "\x7f"),
            (KeyCode::Esc, NONE, "\x1b"),
            (KeyCode::Up, NONE, "\x1b[A"),
            (KeyCode::Left, CONTROL, "\x1b[1;5D"),
            (KeyCode::Up, KeyModifiers::ALT, "\x1b[1;3A"),
            (KeyCode::Home, NONE, "\x1b[H"),
            (KeyCode::Delete, NONE, "\x1b[3~"),
            (KeyCode::PageUp, KeyModifiers::SHIFT, "\x1b[5;2~"),
            (KeyCode::F(1), NONE, "\x1bOP"),
            (KeyCode::F(5), NONE, "\x1b[15~"),
            (KeyCode::F(12), NONE, "\x1b[24~"),
            (KeyCode::CapsLock, NONE, ""),
        ];
        let parser = after(b"");
        for (code, modifiers, bytes) in cases {
            assert_eq!(key(KeyEvent::new(code, modifiers), parser.screen()), bytes.as_bytes(), "{code:?}");
        }
        let asked = after(b"\x1b[?1h");
        assert_eq!(key(KeyEvent::new(KeyCode::Up, NONE), asked.screen()), b"\x1bOA");
    }

    #[test]
    fn clicks_are_for_whoever_asked() {
        let event = |kind| MouseEvent { kind, column: 0, row: 0, modifiers: KeyModifiers::NONE };
        let (down, up) = (MouseEventKind::Down(MouseButton::Left), MouseEventKind::Up(MouseButton::Left));
        let sent = |drawn: &[u8], kind| mouse(event(kind), (4, 2), after(drawn).screen());
        assert_eq!(sent(b"", down), b"");
        assert_eq!(sent(b"\x1b[?1000h\x1b[?1006h", down), b"\x1b[<0;5;3M");
        assert_eq!(sent(b"\x1b[?1000h\x1b[?1006h", up), b"\x1b[<0;5;3m");
        assert_eq!(sent(b"\x1b[?1002h", up), b"\x1b[M#%#");
        assert_eq!(sent(b"\x1b[?9h", up), b"");
        assert_eq!(sent(b"\x1b[?1000h\x1b[?1006h", MouseEventKind::ScrollDown), b"\x1b[<65;5;3M");
    }
}
