//! A server in Python, for tests that care for what is answered and not for how.

/// A program that serves HTTP at its `PORT`. `answer`, in Python, defines `answer(path)`, which returns a status and a text.
pub fn server(answer: &str) -> String {
    format!("{answer}\n{SERVE}")
}

const SERVE: &str = r#"
import http.server, os

class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        code, text = answer(self.path)
        body = text.encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        pass

http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Server).serve_forever()
"#;
