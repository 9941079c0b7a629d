//! Words, variables and paths in the form in which the launcher hands them to `execve`.

use indexmap::IndexMap;

use super::accounts::Found;
use crate::plan::Planned;

/// `NAME=value`s, each with a zero at its end.
pub type Variables = Vec<u8>;

/// Tells an instance which of several it is.
pub const INSTANCE: &str = "NAGAYA_INSTANCE";

/// All variables of an instance, with the folder it runs in: a shell's own `PWD` would be wrong there.
pub fn variables(planned: &Planned, instance: u32, account: Option<&Found>) -> Variables {
    let number = instance.to_string();
    let folder = planned.working_dir.to_string_lossy();
    let mut resolved = resolve(planned, account);
    resolved.insert("PWD", &folder);
    resolved.entry(INSTANCE).or_insert(&number);
    let mut out = Vec::with_capacity(resolved.len() * 48);
    for (name, value) in &resolved {
        push(&mut out, name, value);
    }
    out
}

/// The variables of a service as whoever runs it has them: where that is another account, the name and the home of the
/// shell's would be wrong.
pub fn resolve<'a>(planned: &'a Planned, account: Option<&'a Found>) -> IndexMap<&'a str, &'a str> {
    let mut resolved = planned.environment.resolve();
    for (name, value) in account.map(identity).into_iter().flatten() {
        if planned.environment.declared.iter().all(|(declared, _)| declared != name) {
            resolved.insert(name, value);
        }
    }
    resolved
}

fn identity(found: &Found) -> impl Iterator<Item = (&'static str, &str)> {
    let (name, home) = (found.name.as_deref(), found.home.as_deref());
    [("USER", name), ("LOGNAME", name), ("HOME", home)].into_iter().filter_map(|(key, value)| Some((key, value?)))
}

/// Takes away a variable that may be there and adds it with another value.
pub fn set(out: &mut Variables, name: &str, value: &str) {
    let kept = |text: &[u8]| text.strip_prefix(name.as_bytes()).is_none_or(|rest| !rest.starts_with(b"="));
    *out = out.split_inclusive(|&byte| byte == 0).filter(|text| kept(text)).flatten().copied().collect();
    push(out, name, value);
}

/// Sets a variable that is not there.
pub fn suggest(out: &mut Variables, name: &str, value: &str) {
    let is_it = |text: &[u8]| text.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"="));
    if !out.split(|&byte| byte == 0).any(is_it) {
        push(out, name, value);
    }
}

/// Adds a variable. A zero within would cut the text for the program anyway, and what follows it would become a text of its own.
pub fn push(out: &mut Variables, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
    out.extend(value.bytes().take_while(|&byte| byte != 0));
    out.push(0);
}

/// Words as a block of texts.
pub fn block(words: &[String]) -> Vec<u8> {
    words.iter().flat_map(|word| word.bytes().filter(|&byte| byte != 0).chain([0])).collect()
}

/// The folder that a service runs in.
pub fn folder(planned: &Planned) -> Vec<u8> {
    let mut folder = planned.working_dir.as_os_str().as_encoded_bytes().to_vec();
    folder.push(0);
    folder
}
