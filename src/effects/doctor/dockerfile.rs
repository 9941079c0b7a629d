//! Advice on Dockerfiles: what makes builds slow, or different from one day to the next.
//!
//! They are read and never run. What cannot be told for certain is left alone: an image that is named by a variable, a
//! package that is a file, an install that needs all sources.

mod read;

use std::path::Path;

use super::Finding;
use read::{Instruction, instructions, simple_commands};

/// A piece of advice about a line of a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// From 1.
    pub line: usize,
    pub message: String,
    pub fix: String,
}

impl Advice {
    /// As one of the doctor's findings.
    pub fn finding(&self, file: &Path) -> Finding {
        let message = format!("{}:{}: {}", file.display(), self.line, self.message);
        Finding::warning("dockerfile", message, self.fix.clone())
    }
}

/// A stage of a build.
struct Stage<'a> {
    line: usize,
    image: String,
    name: Option<String>,
    instructions: Vec<&'a Instruction>,
}

/// All advice on a Dockerfile, by lines; `is_filtered` where its context has a `.dockerignore`.
pub fn advise(text: &str, is_filtered: bool) -> Vec<Advice> {
    let all = instructions(text);
    let stages = stages(&all);
    let mut out = Vec::new();
    for stage in &stages {
        unpinned_image(stage, &stages, &mut out);
        installed_after_all(stage, &mut out);
        stage.instructions.iter().filter(|it| it.word == "RUN").for_each(|run| packages(run, stage, &mut out));
    }
    if let Some(copy) = all.iter().find(|it| copies_all(it)).filter(|_| !is_filtered) {
        out.push(Advice {
            line: copy.line,
            message:
                "all of the folder is copied, and there is no `.dockerignore`: `.git`, logs and what was built here go \
                      along, and a change of any of them makes all that follows be built again"
                    .to_owned(),
            fix: "write a `.dockerignore` beside it, with `.git`, `node_modules`, `target` and their kin".to_owned(),
        });
    }
    out.extend(stages.last().and_then(|last| as_root(last, &stages)));
    out.sort_by_key(|advice| advice.line);
    out
}

fn stages(all: &[Instruction]) -> Vec<Stage<'_>> {
    let mut out: Vec<Stage<'_>> = Vec::new();
    for instruction in all {
        if instruction.word == "FROM" {
            let mut words = instruction.words().into_iter().filter(|word| !word.starts_with("--"));
            let image = words.next().unwrap_or_default();
            let name = words.next().filter(|word| word.eq_ignore_ascii_case("as")).and_then(|_| words.next());
            out.push(Stage { line: instruction.line, image, name, instructions: Vec::new() });
        } else if let Some(stage) = out.last_mut() {
            stage.instructions.push(instruction);
        }
    }
    out
}

/// The stage that another begins with.
fn base<'a, 'b>(stage: &Stage<'_>, stages: &'b [Stage<'a>]) -> Option<&'b Stage<'a>> {
    let before = stages.iter().filter(|other| other.line < stage.line);
    { before }.find(|other| other.name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(&stage.image)))
}

fn unpinned_image(stage: &Stage<'_>, stages: &[Stage<'_>], out: &mut Vec<Advice>) {
    let image = &stage.image;
    if image == "scratch" || image.contains(['$', '@']) || base(stage, stages).is_some() {
        return;
    }
    let tag = image.rsplit('/').next().and_then(|last| last.split_once(':')).map(|(_, tag)| tag);
    let message = match tag {
        None => format!("`{image}` has no version, which means `latest`: another image tomorrow"),
        Some("latest") => format!("`{image}` is another image tomorrow"),
        Some(_) => return,
    };
    let name = image.trim_end_matches(":latest");
    let fix = format!("name a version, `FROM {name}:1.2`, or a digest, `{name}@sha256:…`");
    out.push(Advice { line: stage.line, message, fix });
}

fn copies_all(instruction: &Instruction) -> bool {
    if !matches!(instruction.word.as_str(), "COPY" | "ADD") {
        return false;
    }
    let words = instruction.words();
    let is_from_elsewhere = words.iter().any(|word| word.starts_with("--from"));
    let paths: Vec<&String> = words.iter().filter(|word| !word.starts_with("--")).collect();
    let sources = paths.split_last().map(|(_, sources)| sources).unwrap_or_default();
    !is_from_elsewhere && sources.iter().any(|source| matches!(source.as_str(), "." | "./" | "/"))
}

/// Commands that install what lock files name, with these files.
const INSTALLS: [(&[&str], &str); 17] = [
    (&["npm", "ci"], "package.json package-lock.json"),
    (&["npm", "install"], "package.json package-lock.json"),
    (&["yarn", "install"], "package.json yarn.lock"),
    (&["yarn"], "package.json yarn.lock"),
    (&["pnpm", "install"], "package.json pnpm-lock.yaml"),
    (&["bun", "install"], "package.json bun.lock"),
    (&["pip", "install", "-r"], "requirements.txt"),
    (&["pip3", "install", "-r"], "requirements.txt"),
    (&["poetry", "install"], "pyproject.toml poetry.lock"),
    (&["uv", "sync"], "pyproject.toml uv.lock"),
    (&["pipenv", "install"], "Pipfile Pipfile.lock"),
    (&["bundle", "install"], "Gemfile Gemfile.lock"),
    (&["composer", "install"], "composer.json composer.lock"),
    (&["go", "mod", "download"], "go.mod go.sum"),
    (&["cargo", "fetch"], "Cargo.toml Cargo.lock"),
    (&["mix", "deps.get"], "mix.exs mix.lock"),
    (&["mvn", "dependency:go-offline"], "pom.xml"),
];

/// The lock files of a command that installs what they name, and nothing else.
fn lock_files(words: &[String]) -> Option<&'static str> {
    // Options may stand between: `pip install --no-cache-dir -r requirements.txt`.
    let plain: Vec<&str> =
        words.iter().map(String::as_str).filter(|word| !word.starts_with('-') || *word == "-r").collect();
    let (wanted, files) = INSTALLS.iter().find(|(wanted, _)| plain.starts_with(wanted))?;
    // With names behind it, it installs these.
    let names = plain.len() > wanted.len() && !wanted.contains(&"-r") && wanted[0] != "mvn";
    (!names && !words.iter().any(|word| word == "-g" || word == "--global")).then_some(*files)
}

fn installed_after_all(stage: &Stage<'_>, out: &mut Vec<Advice>) {
    let Some(copy) = stage.instructions.iter().position(|it| copies_all(it)) else { return };
    let installs =
        |it: &&Instruction| it.word == "RUN" && simple_commands(&it.text).iter().any(|it| lock_files(it).is_some());
    // One that was there before, too, has its layer.
    if stage.instructions[..copy].iter().any(&installs) {
        return;
    }
    let Some(run) = stage.instructions[copy..].iter().find(|it| installs(it)) else { return };
    let Some(files) = simple_commands(&run.text).iter().find_map(|words| lock_files(words)) else { return };
    out.push(Advice {
        line: stage.instructions[copy].line,
        message: format!(
            "all of the folder is copied before line {} installs: any edit makes everything be installed again",
            run.line
        ),
        fix: format!("`COPY {files} ./` first, then install, then `COPY . .`"),
    });
}

/// What installs packages by their names, and what a name with a version has in it.
const MANAGERS: [(&[&str], &[&str]); 7] = [
    (&["apt-get", "install"], &["="]),
    (&["apt", "install"], &["="]),
    (&["apk", "add"], &["=", "<", ">", "~"]),
    (&["pip", "install"], &["==", "~=", "@"]),
    (&["pip3", "install"], &["==", "~=", "@"]),
    (&["npm", "install", "-g"], &["@"]),
    (&["gem", "install"], &[":"]),
];
/// Options with a word behind them that is no package.
const WITH_VALUES: [&str; 14] = [
    "-t",
    "--target-release",
    "--repository",
    "-X",
    "--virtual",
    "-o",
    "-r",
    "--requirement",
    "-c",
    "--constraint",
    "-i",
    "--index-url",
    "-f",
    "-e",
];

fn packages(run: &Instruction, stage: &Stage<'_>, out: &mut Vec<Advice>) {
    let commands = simple_commands(&run.text);
    let begins = |words: &[String], with: &[&str]| {
        let mut plain = words.iter().map(String::as_str).filter(|word| !word.starts_with('-') || with.contains(word));
        with.iter().all(|word| plain.next() == Some(word))
    };
    let has = |with: &[&str]| commands.iter().any(|words| begins(words, with));
    if has(&["apt-get", "update"])
        && !has(&["apt-get", "install"])
        && !has(&["apt-get", "upgrade"])
        && !has(&["apt-get", "dist-upgrade"])
    {
        out.push(Advice {
            line: run.line,
            message:
                "the lists of packages have a layer of their own: it is kept when the install below it changes, which \
                      then asks for versions that are gone"
                    .to_owned(),
            fix: "`RUN apt-get update && apt-get install …` in one instruction".to_owned(),
        });
    }
    // What an image of a digest has and gets is settled as far as it goes.
    if stage.image.contains('@') {
        return;
    }
    for words in &commands {
        let Some((wanted, marks)) = MANAGERS.iter().find(|(wanted, _)| begins(words, wanted)) else { continue };
        let named = named(words, wanted);
        // The first letter of `@scope/name` is no mark of a version.
        let has_version =
            |name: &String| marks.iter().any(|mark| name.chars().skip(1).collect::<String>().contains(mark));
        let loose: Vec<String> = named.into_iter().filter(|name| !has_version(name)).collect();
        if wanted[0] == "gem" && words.iter().any(|word| word == "-v" || word == "--version") || loose.is_empty() {
            continue;
        }
        let example = format!(
            "{}{}",
            loose[0],
            match wanted[0] {
                "npm" => "@1.2.3",
                "gem" => ":1.2.3",
                "pip" | "pip3" => "==1.2.3",
                _ => "=1.2.*",
            }
        );
        out.push(Advice {
            line: run.line,
            message: format!(
                "no version of {} is named: the layer has what was newest when it was built, which differs from one machine \
                 to the next",
                loose.join(", ")
            ),
            fix: format!("name versions (`{example}`), or the image by a digest (`FROM …@sha256:…`)"),
        });
    }
}

/// The packages that are named, without files, folders, addresses and variables.
fn named(words: &[String], wanted: &[&str]) -> Vec<String> {
    let mut out = Vec::new();
    let mut skips = false;
    for word in words.iter().filter(|word| !wanted.contains(&word.as_str())) {
        let is_value = std::mem::replace(&mut skips, WITH_VALUES.contains(&word.as_str()));
        let is_scoped = word.starts_with('@') && word.matches('/').count() == 1;
        let is_file = word.contains(['$', '*']) || word.contains('/') && !is_scoped || word.starts_with('.');
        if !is_value && !word.starts_with('-') && !is_file {
            out.push(word.clone());
        }
    }
    out
}

/// The last stage is what runs.
fn as_root(last: &Stage<'_>, stages: &[Stage<'_>]) -> Option<Advice> {
    let mut stage = last;
    loop {
        if let Some(user) = stage.instructions.iter().rfind(|it| it.word == "USER") {
            let name = user.words().first()?.split(':').next()?.to_owned();
            return matches!(name.as_str(), "root" | "0").then(|| root_advice(user.line));
        }
        match base(stage, stages) {
            Some(below) => stage = below,
            None => break,
        }
    }
    // Whose image it is knows whether it has an account.
    let is_known = ["nonroot", "rootless", "unprivileged"].iter().any(|word| stage.image.contains(word));
    (!is_known && !stage.image.contains('$')).then(|| root_advice(last.line))
}

fn root_advice(line: usize) -> Advice {
    Advice {
        line,
        message: "no `USER` is named, so its program is root in the container: what it writes into mounted folders is \
                  root's, and a hole in it is a hole in more"
            .to_owned(),
        fix: "`USER 1000` before its `CMD`, or an account that the image has (`USER node`)".to_owned(),
    }
}

#[cfg(test)]
mod tests;
