//! Texts that are no dtabs: where, what and what to do instead.

use nagaya::dtab::{Dtab, SyntaxError};
use nagaya::view::draw_syntax_error;

fn error(text: &str) -> SyntaxError {
    text.parse::<Dtab>().expect_err(text)
}

#[test]
fn every_mistake_that_people_make_has_a_hint() {
    let cases = [
        ("/a -> /b", "an entry is `/prefix => tree`"),
        ("/a->/b", "an entry is `/prefix => tree`"),
        ("/a = /b", "an entry is `/prefix => tree`"),
        ("/a = > /b", "no space inside `=>`"),
        ("users => /b", "names begin with a slash: `/users`"),
        ("/svc/users => users-v2 | /b", "names begin with a slash: `/users-v2`"),
        ("/a => /b, /c => /d", "entries are separated by `;`, not by commas"),
        ("/a => /b\n/c => /d", "entries are separated by `;`, and one is missing here"),
        ("/a => /b /c", "entries are separated by `;`, and one is missing here"),
        ("/a => /b => /c", "entries are separated by `;`: one is missing before the prefix"),
        ("/a => /b;;", "there is no entry before this `;`"),
        ("/a => 1.2.3 * /b", "a weight is a number like `1` or `0.5`"),
        ("/a/ => /b", "a path does not end with a slash"),
        ("/a => /b/;", "a path does not end with a slash"),
        ("/a => /b//c", "there is nothing between these two slashes"),
        ("//a => /b", "there is nothing between these two slashes"),
        ("/a => /b/*", "what a `*` matched cannot be used on the right; a star itself is `\\x2a`"),
        ("/a* => /b", "a `*` is a whole element of a prefix; a star itself is `\\x2a`"),
        ("/a/*b => /b", "a `*` is a whole element of a prefix"),
        ("* => /b", "a prefix begins with a slash: `/*`"),
        ("/a@b => /b", "inside a label `@` is written `\\x40`"),
        ("/é => /b", "inside a label `é` is written `\\xc3\\xa9`"),
        ("/a => /b?c", "inside a label `?` is written `\\x3f`"),
        ("/a => 0.5 /b & /c", "a weight is followed by `*`: `0.5 * /a`"),
        ("/a => -1*/b & /c", "a weight is a number like `1` or `0.5`"),
        ("/a => 1*2*/b & /c", "a branch has one weight"),
        ("/a => . * /b", "a weight is a finite number like `1` or `0.5`"),
        ("/a =>", "`~` stands for nothing, `!` for a failure"),
        ("/a => /b |", "`~` stands for nothing, `!` for a failure"),
        ("/a => (/b & /c", "a `(` before this is not closed"),
        ("/a => /b)", "nothing was opened that this could close"),
        ("/a\\X41 => /b", "a byte is written as `\\x` and two hex digits: `\\x2f`"),
        ("/a => /\\x4", "a byte is written as `\\x` and two hex digits: `\\x2f`"),
    ];
    for (text, hint) in cases {
        let error = error(text);
        assert_eq!(error.hint.as_deref(), Some(hint), "{text}: {error}");
    }
}

#[test]
fn a_mistake_has_its_place() {
    let text = "# routes\n/svc => /#/local ;\n\t/svc/ünser => /a ; # ü\r\n/b => /c";
    let first = error(text);
    assert_eq!((first.offset, first.line, first.column), (34, 3, 7));
    assert_eq!(first.excerpt(), "\t/svc/ünser => /a ; # ü\n\t     ^");
    let end = error("/a => /b ;\n/c");
    assert_eq!((end.offset, end.line, end.column, end.found), (13, 2, 3, None));
    assert_eq!(end.to_string(), "line 2, column 3: expected `=>`, found the end (an entry is `/prefix => tree`)");
}

#[test]
fn weights_that_no_number_can_hold_are_refused() {
    let huge = format!("/a => {}*/b & /c", "9".repeat(400));
    assert_eq!(error(&huge).hint.as_deref(), Some("a weight is a finite number like `1` or `0.5`"));
    let nested = |depth: usize| format!("/a => {}/b{}", "(".repeat(depth), ")".repeat(depth));
    assert!(nested(100).parse::<Dtab>().is_ok());
    assert_eq!(error(&nested(1_000_000)).message(), "expected fewer parentheses inside each other, found `(`");
}

#[test]
fn mistakes_are_drawn_as_all_problems_are() {
    let drawn = |text: &str| draw_syntax_error(&error(text), text, "routes.dtab", false);
    insta::assert_snapshot!(drawn("/svc => /#/local ;\n/svc/users -> /svc/users-v2 ;"), @r"
    error[dtab_syntax]: expected `=>`, found `-`
     --> routes.dtab:2:12
      |
    2 | /svc/users -> /svc/users-v2 ;
      |            ^
      |
      = help: an entry is `/prefix => tree`
    ");
    insta::assert_snapshot!(drawn("/svc => (/a | /b"), @r"
    error[dtab_syntax]: expected `)`, found the end
     --> routes.dtab:1:17
      |
    1 | /svc => (/a | /b
      |                 ^
      |
      = help: a `(` before this is not closed
    ");
}
