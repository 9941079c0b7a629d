//! XML, by roxmltree.

pub use roxmltree::{Document, Node};

use roxmltree::ParsingOptions;

use crate::tasks::{Position, Unreadable};

/// Reads a document and gives it to `read`, as it borrows the text.
pub fn parse<T>(text: &str, read: impl FnOnce(&Document<'_>) -> T) -> Result<T, Unreadable> {
    // Old build files have a DTD; entities from outside are never fetched.
    let options = ParsingOptions { allow_dtd: true, nodes_limit: 1 << 20, ..ParsingOptions::default() };
    match Document::parse_with_options(text, options) {
        Ok(document) => Ok(read(&document)),
        Err(error) => {
            let at = error.pos();
            let full = error.to_string();
            let reason = full.split(" at ").next().unwrap_or(&full);
            let usize_of = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
            let at = Position { line: usize_of(at.row), column: usize_of(at.col) };
            Err(Unreadable::at(format!("not valid XML: {reason}"), at))
        }
    }
}

/// The line on which a node begins.
pub fn line(node: Node<'_, '_>) -> usize {
    usize::try_from(node.document().text_pos_at(node.range().start).row).unwrap_or(usize::MAX)
}

/// The elements of a name right below a node.
pub fn children<'a, 'd: 'a>(node: Node<'a, 'd>, name: &'a str) -> impl Iterator<Item = Node<'a, 'd>> + 'a {
    node.children().filter(move |child| child.tag_name().name() == name)
}

/// The first element of a name right below a node.
pub fn child<'a, 'd>(node: Node<'a, 'd>, name: &str) -> Option<Node<'a, 'd>> {
    node.children().find(|child| child.tag_name().name() == name)
}

/// The text of the first element of a name right below a node.
pub fn text_of<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    child(node, name)?.text().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let text =
            "<?xml version='1.0'?>\n<!DOCTYPE p [<!ENTITY x SYSTEM 'file:/etc/passwd'>]>\n<p>\n <t n='a'/>\n</p>";
        assert_eq!(parse(text, |it| line(child(it.root_element(), "t").unwrap())), Ok(4));
        let wrong = parse("<p>\n<t></p>", |_| ()).unwrap_err();
        assert_eq!(wrong.at.unwrap().line, 2, "{wrong:?}");
    }
}
