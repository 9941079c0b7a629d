//! Problems of a manifest, drawn with the source lines they are about.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::manifest::{Problem, Problems, Severity};
use crate::model::Workspace;
use crate::plan::Lint;

/// Draws all problems, errors and warnings, as compilers do.
pub fn draw(problems: &Problems, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let drawn: Vec<String> = problems.list.iter().map(|problem| draw_one(problems, problem, &renderer)).collect();
    drawn.join("\n\n")
}

/// A lint knows its service and a word; the place is found in the text.
pub fn located(workspace: &Workspace, lint: &Lint, problems: &Problems) -> Problem {
    let (path, line) = &workspace.service(lint.service).declared;
    let declared = problems.sources.find_line(path, *line);
    let span = declared.map(|span| problems.sources.find_after(span, &lint.needle));
    let problem = Problem::warning(lint.code, lint.message.clone()).hint(lint.hint.clone());
    match span {
        Some(span) => problem.at(span),
        None => problem,
    }
}

fn draw_one(problems: &Problems, problem: &Problem, renderer: &Renderer) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(problem.message.as_str()).id(problem.code));
    let related = problem.related.filter(|_| problem.at.is_some());
    let drawn = problem.at.filter(|span| !problems.sources.get(span.source).is_secret());
    if let Some(span) = problem.at.filter(|_| drawn.is_none()) {
        let (path, at) = (&problems.sources.get(span.source).path, problems.sources.position(span));
        let origin = Origin::path(path.to_string_lossy().into_owned()).line(at.line).char_column(at.column);
        group = group.element(origin);
    }
    if let Some(span) = drawn {
        let source = problems.sources.get(span.source);
        let mut snippet = Snippet::source(&*source.text)
            .path(source.path.to_string_lossy().into_owned())
            .annotation(AnnotationKind::Primary.span(first_line(&source.text, span.start, span.end)));
        if let Some((second, label)) = related
            && second.source == span.source
        {
            let range = first_line(&source.text, second.start, second.end);
            snippet = snippet.annotation(AnnotationKind::Context.span(range).label(label));
        }
        group = group.element(snippet);
        if let Some((second, label)) = related
            && second.source != span.source
        {
            let other = problems.sources.get(second.source);
            let range = first_line(&other.text, second.start, second.end);
            let snippet = Snippet::source(&*other.text)
                .path(other.path.to_string_lossy().into_owned())
                .annotation(AnnotationKind::Context.span(range).label(label));
            group = group.element(snippet);
        }
    }
    if let Some(hint) = &problem.hint {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    renderer.render(&[group])
}

/// A mapping may be a hundred lines; its first one shows where it is.
fn first_line(text: &str, start: usize, end: usize) -> std::ops::Range<usize> {
    let start = start.min(text.len());
    let end = end.clamp(start, text.len());
    let line = text[start..end].find('\n').map_or(end, |at| start + at);
    start..line.max(start)
}
