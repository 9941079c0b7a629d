//! Markdown as task runners read it: headings and what is below them.

/// One piece of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub line: usize,
    pub shape: Shape,
}

/// What a piece is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    Heading {
        level: usize,
        text: String,
    },
    /// A fenced block: what stands behind its fence, and its lines.
    Code {
        info: String,
        text: String,
    },
    /// A paragraph or list, with its lines.
    Text(String),
}

/// The pieces of a page, in order.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut out = Vec::new();
    let mut lines = text.lines().enumerate();
    let mut paragraph: Option<Block> = None;
    while let Some((at, line)) = lines.next() {
        let trimmed = line.trim();
        let fence = fence(trimmed);
        let heading = heading(line);
        if trimmed.is_empty() || fence.is_some() || heading.is_some() {
            out.extend(paragraph.take());
        }
        if let Some(fence) = fence {
            let info = trimmed.trim_start_matches(['`', '~']).trim().to_owned();
            let body: Vec<&str> =
                lines.by_ref().map(|(_, line)| line).take_while(|line| !is_end(line.trim(), fence)).collect();
            out.push(Block { line: at + 1, shape: Shape::Code { info, text: body.join("\n") } });
        } else if let Some((level, text)) = heading {
            out.push(Block { line: at + 1, shape: Shape::Heading { level, text } });
        } else if !trimmed.is_empty() {
            match &mut paragraph {
                Some(Block { shape: Shape::Text(text), .. }) => {
                    text.push('\n');
                    text.push_str(trimmed);
                }
                _ => paragraph = Some(Block { line: at + 1, shape: Shape::Text(trimmed.to_owned()) }),
            }
        }
    }
    out.extend(paragraph);
    out
}

fn fence(line: &str) -> Option<&str> {
    let mark = line.chars().next().filter(|c| *c == '`' || *c == '~')?;
    let length = line.len() - line.trim_start_matches(mark).len();
    // Text with backticks in it is no fence.
    (length >= 3 && !(mark == '`' && line[length..].contains('`'))).then(|| &line[..length])
}

fn is_end(line: &str, fence: &str) -> bool {
    line.starts_with(fence) && line.trim_start_matches(&fence[..1]).is_empty()
}

fn heading(line: &str) -> Option<(usize, String)> {
    let level = line.len() - line.trim_start_matches('#').len();
    let rest = line.get(level..)?;
    let is_heading = (1..=6).contains(&level) && (rest.is_empty() || rest.starts_with([' ', '\t']));
    is_heading.then(|| (level, rest.trim().trim_end_matches('#').trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_fences_and_paragraphs() {
        let text = "# A #\ntext\nmore\n## B\n~~~sh name=x\n# no heading\n```\n~~~\n#no\n";
        let shapes: Vec<_> = blocks(text).into_iter().map(|it| (it.line, it.shape)).collect();
        let heading = |level, text: &str| Shape::Heading { level, text: text.into() };
        assert_eq!(
            shapes,
            [
                (1, heading(1, "A")),
                (2, Shape::Text("text\nmore".into())),
                (4, heading(2, "B")),
                (5, Shape::Code { info: "sh name=x".into(), text: "# no heading\n```".into() }),
                (9, Shape::Text("#no".into())),
            ]
        );
    }
}
