//! .NET and PowerShell: NUKE, Cake, launch profiles, Invoke-Build, psake.

use crate::tasks::formats::Node;
use crate::tasks::formats::code::Code;
use crate::tasks::formats::language::{CSHARP, POWERSHELL};
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Draft, Kind, Origin};

/// <https://nuke.build/docs/>
pub const NUKE: Runner =
    Runner::new("nuke", nuke).first(&[".nuke/build.schema.json"]).runs(Via::Wrapper(&["build.sh"]), &["nuke", "{}"]);
/// <https://cakebuild.net/docs/writing-builds/>
pub const CAKE: Runner =
    Runner::new("cake", cake).every(&["build.cake", "*.cake"]).runs(Via::Path, &["dotnet", "cake", "--target={}"]);
/// <https://learn.microsoft.com/aspnet/core/fundamentals/environments#development-and-launchsettingsjson>
pub const LAUNCH: Runner = Runner::new("dotnet", launch)
    .first(&["Properties/launchSettings.json"])
    .runs(Via::Path, &["dotnet", "run", "--launch-profile", "{}"]);
/// <https://github.com/nightroman/Invoke-Build>
pub const INVOKE_BUILD: Runner = Runner::new("invoke-build", invoke_build)
    .every(&["*.build.ps1", ".build.ps1"])
    .runs(Via::Path, &["pwsh", "-NoProfile", "-Command", "Invoke-Build", "{}"]);
/// <https://psake.readthedocs.io/>
pub const PSAKE: Runner = Runner::new("psake", psake)
    .every(&["psakefile.ps1"])
    .runs(Via::Path, &["pwsh", "-NoProfile", "-Command", "Invoke-psake", "-taskList", "{}"]);

/// NUKE writes its targets into a schema each time it is built.
fn nuke(look: &Look<'_>) -> Read {
    let root = look.json()?;
    let old = root.path(&["definitions", "build", "properties", "Target", "items", "enum"]);
    let new = root.path(&["definitions", "ExecutableTarget", "enum"]);
    let targets = new.or(old).map_or(&[][..], Node::items);
    let drafts = targets.iter().filter_map(|it| Some(Draft::new(it.text()?, it.at.line)));
    Ok(Reading::of(drafts.collect()).unless_empty())
}

fn cake(look: &Look<'_>) -> Read {
    let code = Code::of(look.text, &CSHARP);
    let mut reading = Reading::default();
    for at in (0..code.tokens.len())
        .filter(|at| code.word(*at) == Some("Task") && code.is_mark(at + 1, '(') && code.is_first(*at))
    {
        let Some(name) = code.text(at + 2) else {
            reading.gap("tasks whose names are computed");
            continue;
        };
        // Calls follow up to the end of the statement.
        let mut place = code.closing(at + 1) + 1;
        let mut needs = Vec::new();
        let mut text = None;
        while code.is_mark(place, '.') && code.is_mark(place + 2, '(') {
            match code.word(place + 1) {
                Some("IsDependentOn") => needs.extend(code.text(place + 3).map(str::to_owned)),
                Some("Description") => text = code.text(place + 3).map(str::to_owned),
                _ => {}
            }
            place = code.closing(place + 2) + 1;
        }
        reading.tasks.push(Draft::new(name, code.line(at)).describe(text, Origin::Field).after(needs));
    }
    if look.text.lines().any(|line| line.starts_with("#load") || line.starts_with("#l ")) {
        reading.uncounted("tasks of other files (`#load`)");
    }
    Ok(reading.unless_empty())
}

fn launch(look: &Look<'_>) -> Read {
    let root = look.jsonc()?;
    let drafts = root.below(&["profiles"]).iter().map(|(key, it)| {
        let command = it.text_of("commandName").unwrap_or("");
        // IIS runs only on Windows.
        let draft = Draft::new(&*key.text, key.at.line).kind(Kind::Service).runs(command);
        draft.private(command.starts_with("IIS")).describe(it.text_of("applicationUrl"), Origin::Field)
    });
    Ok(Reading::of(drafts.collect()).unless_empty())
}

/// `task Name Dep1, Dep2, { … }`, and `# Synopsis: text` above.
fn invoke_build(look: &Look<'_>) -> Read {
    let code = Code::of(look.text, &POWERSHELL);
    let mut reading = Reading::default();
    for at in (0..code.tokens.len()).filter(|at| {
        code.is_first(*at)
            && code
                .word(*at)
                .is_some_and(|it| it.eq_ignore_ascii_case("task") || it.eq_ignore_ascii_case("Add-BuildTask"))
    }) {
        // `.` is the default task.
        let dot = code.is_mark(at + 1, '.').then_some(".");
        let name = dot.or_else(|| code.word(at + 1)).or_else(|| code.text(at + 1));
        let Some(name) = name.filter(|it| !it.starts_with('$')) else {
            reading.gap("tasks whose names are computed");
            continue;
        };
        let line = code.line(at);
        let rest = (at + 2..code.tokens.len()).take_while(|it| code.line(*it) == line && !code.is_mark(*it, '{'));
        let needs = rest.filter_map(|it| code.word(it)).filter(|it| !it.starts_with('-')).map(str::to_owned);
        let comment = code.comment_above(line).map(|it| it.rsplit("Synopsis:").next().unwrap_or(&it).trim().to_owned());
        let private = name.starts_with('-');
        reading.tasks.push(
            Draft::new(name.trim_start_matches('?'), line)
                .describe(comment, Origin::Comment)
                .private(private)
                .after(needs.collect()),
        );
    }
    Ok(Some(reading))
}

/// `Task Name -depends A, B -description "text" { … }`.
fn psake(look: &Look<'_>) -> Read {
    let code = Code::of(look.text, &POWERSHELL);
    let mut reading = Reading::default();
    for at in (0..code.tokens.len())
        .filter(|at| code.is_first(*at) && code.word(*at).is_some_and(|it| it.eq_ignore_ascii_case("task")))
    {
        let Some(name) = code.word(at + 1).or_else(|| code.text(at + 1)).filter(|it| !it.starts_with('$')) else {
            reading.gap("tasks whose names are computed");
            continue;
        };
        let line = code.line(at);
        let rest: Vec<usize> =
            (at + 2..code.tokens.len()).take_while(|it| code.line(*it) == line && !code.is_mark(*it, '{')).collect();
        let flag =
            |wanted: &str| rest.iter().position(|it| code.word(*it).is_some_and(|it| it.eq_ignore_ascii_case(wanted)));
        let behind = |place: usize| {
            rest[place + 1..].iter().take_while(|it| code.word(**it).is_none_or(|it| !it.starts_with('-')))
        };
        let needs: Vec<String> = flag("-depends")
            .map(|it| {
                behind(it).filter_map(|it| code.word(*it).or_else(|| code.text(*it))).map(str::to_owned).collect()
            })
            .unwrap_or_default();
        let text =
            flag("-description").and_then(|it| rest.get(it + 1)).and_then(|it| code.text(*it)).map(str::to_owned);
        reading.tasks.push(
            Draft::new(name, line)
                .describe(text, Origin::Field)
                .describe(code.comment_above(line), Origin::Comment)
                .after(needs),
        );
    }
    Ok(Some(reading))
}
