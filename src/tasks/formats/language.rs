//! How programming languages write comments and texts: as much of their grammar as finding tasks needs.

/// The lexical rules of a language.
#[derive(Debug, Clone, Copy)]
pub struct Language {
    pub line_comments: &'static [&'static str],
    /// How long comments begin and end. Ruby's begin a line.
    pub block_comments: &'static [(&'static str, &'static str)],
    pub quotes: &'static [Quote],
    /// What words have beside letters, digits and `_`.
    pub word: &'static str,
    /// `/…/` is a regular expression where a value may begin.
    pub regexes: bool,
    /// `<<~END` begins a text that ends with a line `END`.
    pub heredocs: bool,
}

/// How a text is written.
#[derive(Debug, Clone, Copy)]
pub struct Quote {
    pub open: &'static str,
    pub close: &'static str,
    pub escapes: bool,
    pub multiline: bool,
    /// What in it is computed: `${`. Empty where nothing is.
    pub computed: &'static str,
}

const fn quote(open: &'static str, computed: &'static str) -> Quote {
    Quote { open, close: open, escapes: true, multiline: false, computed }
}

const fn long(open: &'static str, computed: &'static str) -> Quote {
    Quote { open, close: open, escapes: true, multiline: true, computed }
}

const fn raw(open: &'static str) -> Quote {
    Quote { open, close: open, escapes: false, multiline: true, computed: "" }
}

const C: Language = Language {
    line_comments: &["//"],
    block_comments: &[("/*", "*/")],
    quotes: &[quote("\"", ""), quote("'", "")],
    word: "",
    regexes: false,
    heredocs: false,
};

pub const JAVASCRIPT: Language =
    Language { quotes: &[quote("\"", ""), quote("'", ""), long("`", "${")], word: "$", regexes: true, ..C };
pub const PYTHON: Language = Language {
    line_comments: &["#"],
    block_comments: &[],
    quotes: &[long("\"\"\"", ""), long("'''", ""), quote("\"", ""), quote("'", "")],
    ..C
};
pub const RUBY: Language = Language {
    line_comments: &["#"],
    block_comments: &[("=begin", "\n=end")],
    quotes: &[quote("\"", "#{"), quote("'", ""), quote("`", "#{")],
    word: "?!@$",
    regexes: true,
    heredocs: true,
};
pub const GROOVY: Language =
    Language { quotes: &[long("\"\"\"", "$"), long("'''", ""), quote("\"", "$"), quote("'", "")], ..C };
pub const KOTLIN: Language = Language { quotes: &[long("\"\"\"", "$"), quote("\"", "$"), quote("'", "")], ..C };
pub const SCALA: Language = Language { quotes: &[raw("\"\"\""), quote("\"", "")], ..C };
pub const GO: Language = Language { quotes: &[quote("\"", ""), quote("'", ""), raw("`")], ..C };
pub const ZIG: Language = Language { quotes: &[quote("\"", "")], block_comments: &[], ..C };
pub const CSHARP: Language = Language { quotes: &[quote("$\"", "{"), quote("\"", ""), quote("'", "")], ..C };
pub const PHP: Language =
    Language { line_comments: &["//", "#"], quotes: &[long("\"", "$"), long("'", "")], word: "$\\", ..C };
pub const ELIXIR: Language = Language {
    line_comments: &["#"],
    block_comments: &[],
    quotes: &[long("\"\"\"", "#{"), quote("\"", "#{"), quote("'", "")],
    word: "?!@",
    ..C
};
pub const NIM: Language =
    Language { line_comments: &["#"], block_comments: &[("#[", "]#")], quotes: &[raw("\"\"\""), quote("\"", "")], ..C };
pub const LUA: Language = Language { line_comments: &["--"], block_comments: &[("--[[", "]]")], word: "", ..C };
pub const POWERSHELL: Language = Language {
    line_comments: &["#"],
    block_comments: &[("<#", "#>")],
    quotes: &[quote("\"", "$"), quote("'", "")],
    word: "-?$",
    ..C
};
pub const HCL: Language = Language { line_comments: &["#", "//"], quotes: &[quote("\"", "${")], word: "-", ..C };
pub const CMAKE: Language =
    Language { line_comments: &["#"], block_comments: &[("#[[", "]]")], quotes: &[long("\"", "${")], word: "-", ..C };
pub const MESON: Language = Language {
    line_comments: &["#"],
    block_comments: &[],
    quotes: &[long("'''", ""), quote("f'", "@"), quote("'", "")],
    ..C
};
