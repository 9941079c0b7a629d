//! HTML by hand: the look of the few pages that are ours.

/// A whole page around a body.
pub fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width,initial-scale=1\"><title>{}</title>\
         <style>{STYLE}</style><main>{body}</main></html>\n",
        escape(title)
    )
}

/// Text as HTML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1d2330;--soft:#667085;--line:#e3e6ec;--page:#fbfbfc;--box:#f1f3f6;--link:#0b62c4;\
--good:#1a7f4b;--coming:#a15c00;--bad:#c22f2f;--off:#7a8291}\
@media(prefers-color-scheme:dark){:root{--ink:#e4e7ed;--soft:#98a2b3;--line:#2b313c;--page:#14171c;--box:#1e232b;\
--link:#7ab5ff;--good:#4cc38a;--coming:#f0a93f;--bad:#ff7b72;--off:#8a93a3}}\
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,sans-serif}\
main{max-width:56rem;margin:0 auto;padding:3.5rem 1.25rem}\
h1{font-size:1.6rem;line-height:1.25;margin:0 0 1.25rem;overflow-wrap:anywhere}\
h2{font-size:1rem;color:var(--soft);font-weight:600;margin:1.75rem 0 .5rem}\
.code{color:var(--soft);margin:0 0 .25rem}\
table{width:100%;border-collapse:collapse}\
th{font-weight:600;font-size:.85rem;color:var(--soft)}\
th,td{text-align:left;vertical-align:top;padding:.5rem 1rem .5rem 0;border-bottom:1px solid var(--line)}\
a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}\
code,pre{font:.875em/1.5 ui-monospace,monospace}\
code{background:var(--box);padding:.15em .4em;border-radius:.3em}\
pre{background:var(--box);padding:.9rem 1rem;border-radius:.5rem;overflow-x:auto;margin:0}\
small{display:block;color:var(--soft)}\
.also{color:var(--soft);font-size:.85rem;margin-left:.5rem}\
a.also{color:var(--link)}\
.state{white-space:nowrap;color:var(--off)}\
.state::before{content:'';display:inline-block;width:.55em;height:.55em;border-radius:50%;background:currentColor;\
margin-right:.5em}\
.good{color:var(--good)}.coming{color:var(--coming)}.bad{color:var(--bad)}\
footer{margin-top:2rem;color:var(--soft)}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_made_safe() {
        assert_eq!(escape("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
        assert!(document("</title>", "").contains("<title>&lt;/title&gt;</title>"));
    }
}
