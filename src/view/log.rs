//! A line of output as `logs --json` shows it, with what its own structure tells.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::telemetry::logs::Line;

/// One line of `logs --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// RFC 3339, UTC, nanoseconds.
    pub time: String,
    pub service: String,
    pub version: Option<String>,
    pub instance: u32,
    pub stream: String,
    pub level: Option<String>,
    /// The line without terminal colours.
    pub message: String,
    pub request_id: Option<String>,
    pub trace_id: Option<String>,
}

impl LogLine {
    /// A line of a service.
    pub fn new(service: &str, line: &Line) -> Self {
        let message = anstream::adapter::strip_str(&line.text).to_string();
        let fields = Fields::find(&message);
        Self {
            time: format!("{:.9}", line.time),
            service: service.to_owned(),
            version: None,
            instance: line.instance,
            stream: line.stream.word().to_owned(),
            level: fields.level,
            request_id: fields.request_id,
            trace_id: fields.trace_id,
            message,
        }
    }
}

/// The level of a line, told from JSON, `level=…`, or a word in capitals near its beginning.
pub fn level(message: &str) -> Option<String> {
    Fields::find(message).level
}

#[derive(Default)]
struct Fields {
    level: Option<String>,
    request_id: Option<String>,
    trace_id: Option<String>,
}

impl Fields {
    fn find(message: &str) -> Self {
        let trimmed = message.trim_start();
        if trimmed.starts_with('{')
            && let Ok(Value::Object(object)) = serde_json::from_str(trimmed)
        {
            let text = |names: &[&str]| names.iter().find_map(|name| object.get(*name)).and_then(as_text);
            return Self {
                level: text(&["level", "severity", "lvl", "log.level"]).and_then(|word| level_word(&word)),
                request_id: text(&["request_id", "requestId", "request-id", "x-request-id", "x_request_id"]),
                trace_id: text(&["trace_id", "traceId", "trace-id", "trace.id"]),
            };
        }
        let pair = |names: &[&str]| names.iter().find_map(|name| value_after(trimmed, name));
        let level = pair(&["level=", "severity=", "lvl="]).and_then(|word| level_word(&word));
        Self {
            level: level.or_else(|| trimmed.split([' ', '\t', ':', '[', ']', '|']).take(8).find_map(capital_level)),
            request_id: pair(&["request_id=", "requestId=", "request-id="]),
            trace_id: pair(&["trace_id=", "traceId=", "trace-id="]),
        }
    }
}

fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn value_after(message: &str, name: &str) -> Option<String> {
    let at = message.find(name)?;
    // `sublevel=` is another word.
    if message[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let rest = &message[at + name.len()..];
    let value = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => rest.split([' ', ',', ';', '\t']).next()?,
    };
    (!value.is_empty()).then(|| value.to_owned())
}

/// The usual spellings, and the numbers of pino and bunyan.
fn level_word(word: &str) -> Option<String> {
    let level = match word.to_ascii_lowercase().as_str() {
        "trace" | "10" | "silly" => "trace",
        "debug" | "20" | "verbose" => "debug",
        "info" | "30" | "notice" | "information" | "log" => "info",
        "warn" | "warning" | "40" => "warn",
        "error" | "err" | "50" | "severe" => "error",
        "fatal" | "critical" | "crit" | "panic" | "60" | "emerg" | "alert" => "fatal",
        _ => return None,
    };
    Some(level.to_owned())
}

fn capital_level(word: &str) -> Option<String> {
    (word.len() >= 3 && word.chars().all(|c| c.is_ascii_uppercase())).then(|| level_word(word)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_levels_however_they_are_written() {
        let cases = [
            (r#"{"level":"warn","msg":"x"}"#, Some("warn")),
            (r#"{"level":30,"msg":"x"}"#, Some("info")),
            (r#"{"severity":"ERROR"}"#, Some("error")),
            ("time=1 level=info msg=x", Some("info")),
            ("2026-11-21 12:00:00 ERROR something", Some("error")),
            ("[INFO] up", Some("info")),
            ("WARNING: x", Some("warn")),
            ("nothing here", None),
            ("an ERRAND", None),
            ("{not json", None),
        ];
        for (message, expected) in cases {
            assert_eq!(level(message).as_deref(), expected, "{message}");
        }
    }

    #[test]
    fn finds_request_and_trace() {
        let fields = Fields::find(r#"{"msg":"x","requestId":"r1","trace_id":"t1"}"#);
        assert_eq!((fields.request_id.as_deref(), fields.trace_id.as_deref()), (Some("r1"), Some("t1")));
        let fields = Fields::find("GET / request_id=\"r 2\" trace_id=t2");
        assert_eq!((fields.request_id.as_deref(), fields.trace_id.as_deref()), (Some("r 2"), Some("t2")));
    }
}
