//! Where a program listens, as its command or its source says.

use regex::Regex;

/// `--port 3001`, `-p 3001`, `PORT=3001`, `--bind 0.0.0.0:3001`, `runserver 8001`.
const COMMAND: &str = concat!(
    r"(?:(?:^|\s)(?:--port[ =]|-p[ =]?|--http-port[ =])|\bPORT=",
    r"|(?:--bind|-b|--listen|--addr|--host)[ =]\S*:|runserver\s+(?:\S*:)?)(\d{2,5})\b",
);

/// `listen(3000`, `process.env.PORT || 3000`, `":8080"`, `0.0.0.0:8080`, `port = 8080`, `PORT", "8080"`.
const SOURCE: &str = concat!(
    r#"(?:\blisten\(\s*|\bPORT\b["')\]]*\s*(?:\|\||\?\?|,|\bor\b|:)\s*["']?|["']:"#,
    r#"|(?:0\.0\.0\.0|127\.0\.0\.1|localhost|\[::\]):|(?i:\bport\b)\s*[:=]\s*["']?)(\d{2,5})\b"#,
);

/// How ports are written.
#[derive(Debug)]
pub struct Ports {
    command: Option<Regex>,
    source: Option<Regex>,
}

impl Ports {
    pub fn new() -> Self {
        Self { command: Regex::new(COMMAND).ok(), source: Regex::new(SOURCE).ok() }
    }

    /// The first port in a command.
    pub fn of_command(&self, command: &str) -> Option<u16> {
        first(self.command.as_ref()?, command)
    }

    /// The first port in a program's text.
    pub fn of_source(&self, text: &str) -> Option<u16> {
        first(self.source.as_ref()?, text)
    }
}

/// `EXPOSE 8080/tcp`, the last one of the file's last stage.
pub fn of_dockerfile(text: &str) -> Option<u16> {
    let mut port = None;
    for line in text.lines().map(str::trim) {
        let mut words = line.split_whitespace();
        match words.next().map(str::to_ascii_uppercase).as_deref() {
            Some("FROM") => port = None,
            Some("EXPOSE") if port.is_none() => {
                port = words.next().and_then(|word| word.split('/').next()?.parse().ok());
            }
            _ => {}
        }
    }
    port
}

fn first(pattern: &Regex, text: &str) -> Option<u16> {
    let mut ports = pattern.captures_iter(text).filter_map(|found| found.get(1)?.as_str().parse::<u16>().ok());
    ports.find(|port| *port >= 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_sources_say_where_they_listen() {
        let ports = Ports::new();
        let commands = [
            ("next dev -p 3001", Some(3001)),
            ("vite --port=4000 --open", Some(4000)),
            ("PORT=5001 node server.js", Some(5001)),
            ("gunicorn -b 0.0.0.0:9000 app:app", Some(9000)),
            ("python manage.py runserver 0.0.0.0:8001", Some(8001)),
            ("node server.js", None),
            ("mkdir -p 12 && x", None),
        ];
        for (text, wanted) in commands {
            assert_eq!(ports.of_command(text), wanted, "{text}");
        }
        let sources = [
            ("app.listen(4000, () => {})", Some(4000)),
            ("const port = process.env.PORT || 4001;", Some(4001)),
            ("const port = Number(process.env.PORT ?? 4002)", Some(4002)),
            ("http.ListenAndServe(\":8080\", nil)", Some(8080)),
            ("os.environ.get('PORT', 8000)", Some(8000)),
            ("int(os.getenv(\"PORT\", \"8001\"))", Some(8001)),
            ("TcpListener::bind(\"0.0.0.0:3000\")", Some(3000)),
            ("app.run(port=5001)", Some(5001)),
            ("year = 1999", None),
        ];
        for (text, wanted) in sources {
            assert_eq!(ports.of_source(text), wanted, "{text}");
        }
        assert_eq!(of_dockerfile("FROM a\nEXPOSE 1\nFROM b\nexpose 8080/tcp 9090\nCMD x\n"), Some(8080));
    }
}
