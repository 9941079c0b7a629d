//! What looks wrong in routes: names of nobody, entries that no name ever comes to, and names that lead back to
//! themselves. What it costs grows as the table does, so that one of ten thousand entries is looked through at once.

mod rounds;
mod trie;

use trie::Trie;

use crate::dtab::namers::{Kind, Presence, Services, flaw};
use crate::dtab::{Dentry, Dtab, Label, NameTree, Path, Prefix, Weighted};
use crate::manifest::did_you_mean;
use crate::model::Rules;
use rounds::{Ground, rounds};

/// Where the names of requests begin.
const LOGICAL: &str = "svc";

/// The names that routes may lead to.
#[derive(Debug, Clone, Default)]
pub struct Named {
    /// Services, and their versions: `users`, `users-v1`, `users-v2`.
    pub local: Vec<String>,
    /// Those that live elsewhere.
    pub external: Vec<String>,
    /// Those of remotes: `staging/users`.
    pub remote: Vec<String>,
    /// Whether requests are named by what they bring, so that any name may come.
    pub any: bool,
}

/// Something that looks wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The text of the entry that it is about.
    pub needle: String,
    /// A stable word for scripts.
    pub code: &'static str,
    pub message: String,
    pub hint: Option<String>,
}

impl Named {
    fn has(&self, name: &str) -> bool {
        self.local.iter().chain(&self.external).any(|known| known == name)
    }

    fn near(&self, name: &str) -> Option<String> {
        did_you_mean(name, self.local.iter().chain(&self.external).map(String::as_str))
    }
}

/// All of them, as if they ran.
impl Services<()> for Named {
    fn find(&self, kind: Kind, name: &str) -> Presence<()> {
        let known = match kind {
            Kind::Local => &self.local,
            Kind::External => &self.external,
            Kind::Remote => &self.remote,
            // Files come and go.
            Kind::File => return Presence::At(()),
        };
        if known.iter().any(|known| known == name) { Presence::At(()) } else { Presence::Absent }
    }
}

/// Looks through the routes that users wrote, which come behind the built-in ones, and what of these is for some requests
/// alone.
pub fn lint(routes: &Dtab, rules: &Rules, named: &Named) -> Vec<Finding> {
    let lint = Lint::new(routes.entries(), named);
    let mut found = Vec::new();
    for (place, entry) in routes.entries().iter().enumerate() {
        found.extend(leaves(&entry.tree).into_iter().filter_map(|leaf| lint.target(leaf)));
        found.extend(lint.unmatched(entry).or_else(|| lint.hidden(place, entry)));
    }
    for rule in rules.iter() {
        found.extend(leaves(&rule.entry.dentry.tree).into_iter().filter_map(|leaf| lint.target(leaf)));
        found.extend(lint.unmatched(&rule.entry.dentry));
    }
    found.dedup();
    let ground = Ground::new(routes, named);
    found.extend(rounds(&ground, &[]));
    for rule in rules.iter() {
        let all = rounds(&ground, std::slice::from_ref(&rule.entry));
        found.extend(all.into_iter().filter(|it| !found.contains(it)).collect::<Vec<_>>());
    }
    found
}

struct Lint<'a> {
    entries: &'a [Dentry],
    named: &'a Named,
    /// The prefixes of entries that are for some names in particular.
    own: Trie,
    /// The names to which entries lead.
    led: Trie,
    /// The prefixes of entries behind which nothing is tried.
    ends: Trie,
    /// Whether the namers of linkerd are used, which make names of any form.
    makes_names: bool,
}

impl<'a> Lint<'a> {
    fn new(entries: &'a [Dentry], named: &'a Named) -> Self {
        let numbered = || entries.iter().enumerate();
        let elements = |(number, entry): (usize, &'a Dentry)| (number, entry.prefix.elements());
        let names = || entries.iter().flat_map(|entry| leaves(&entry.tree));
        let led: Vec<Prefix> = names().cloned().map(Prefix::from).collect();
        Self {
            entries,
            named,
            own: Trie::of(numbered().filter(|(_, entry)| entry.prefix.len() > 1).map(elements)),
            led: Trie::of(led.iter().map(|name| (0, name.elements()))),
            ends: Trie::of(numbered().filter(|(_, entry)| is_final(&entry.tree)).map(elements)),
            makes_names: names().any(|name| name.labels().first().is_some_and(|label| label.as_bytes() == b"$")),
        }
    }

    /// A name to which an entry leads, and at which there is nobody.
    fn target(&self, leaf: &Path) -> Option<Finding> {
        let labels: Vec<&str> = leaf.labels().iter().map(Label::as_str).collect::<Option<_>>()?;
        let finding = |code, message, hint| Some(Finding { needle: leaf.to_string(), code, message, hint });
        let kinds = Kind::ALL.map(Kind::word);
        match labels.as_slice() {
            ["#", kind, name, ..] if *kind == Kind::Local.word() || *kind == Kind::External.word() => {
                let (known, others, other) = match *kind == Kind::Local.word() {
                    true => (&self.named.local, &self.named.external, Kind::External),
                    false => (&self.named.external, &self.named.local, Kind::Local),
                };
                let is = |known: &String| known == name;
                if known.iter().any(is) {
                    return None;
                }
                let hint = match others.iter().any(is) {
                    true => Some(format!("`/#/{}/{name}` is what it is called", other.word())),
                    false => did_you_mean(name, known.iter().map(String::as_str)),
                };
                finding("unknown_service", format!("`{leaf}` leads nowhere: no service or version is called so"), hint)
            }
            ["#", kind, at @ ..] if *kind == Kind::Remote.word() => {
                let name = at.get(..2).map(|two| two.join("/")).unwrap_or_default();
                if self.named.remote.contains(&name) {
                    return None;
                }
                let near = did_you_mean(&name, self.named.remote.iter().map(String::as_str));
                let hint =
                    near.unwrap_or_else(|| "it is `/#/remote/REMOTE/SERVICE`, by `remotes` of the manifest".to_owned());
                finding("unknown_remote", format!("`{leaf}` leads nowhere: no remote has such a service"), Some(hint))
            }
            ["#", kind, ..] if !kinds.contains(kind) => {
                let hint =
                    did_you_mean(kind, kinds).unwrap_or_else(|| format!("there are `/#/{}`", kinds.join("`, `/#/")));
                finding("unknown_namer", format!("`{leaf}` leads nowhere: there is no namer `/#/{kind}`"), Some(hint))
            }
            ["$", ..] => {
                let flaw = flaw(leaf)?;
                finding("bad_address", format!("`{leaf}` leads nowhere: {flaw}"), None)
            }
            [LOGICAL, name, ..] if !self.named.has(name) && !self.leads_on(leaf) => {
                let message = format!("`{leaf}` leads nowhere: no service and no other entry is called so");
                finding("unknown_service", message, self.named.near(name))
            }
            _ => None,
        }
    }

    /// Whether an entry is for this name in particular.
    fn leads_on(&self, leaf: &Path) -> bool {
        self.own.wider(Prefix::from(leaf.clone()).elements()).is_some()
    }

    /// An entry whose prefix is that of no name.
    fn unmatched(&self, entry: &Dentry) -> Option<Finding> {
        let mut labels = entry.prefix.elements().iter().map(|element| element.label().and_then(Label::as_str));
        let (first, second) = (labels.next()??, labels.next().flatten());
        let finding =
            |message, hint| Some(Finding { needle: entry.prefix.to_string(), code: "unmatched_route", message, hint });
        let is_led_to = || self.makes_names || self.led.meets(entry.prefix.elements());
        match (first, second) {
            (LOGICAL, Some(name)) if !self.named.has(name) && !is_led_to() => {
                // A name of one's own choice may come with a request; one that is nearly a service's hardly does.
                let near = self.named.near(name);
                if near.is_none() && self.named.any {
                    return None;
                }
                let hint = near.unwrap_or_else(|| format!("another entry may lead to it, or one that a request brings: `/{LOGICAL}/NAME => /{LOGICAL}/{name}`"));
                finding(format!("no service is called `{name}`, so hardly a request comes to this entry"), Some(hint))
            }
            (LOGICAL | "#" | "$", _) => None,
            (other, _) if !is_led_to() => finding(
                format!("no name begins with `/{other}`, so no request comes to this entry"),
                Some(format!("names of requests are `/{LOGICAL}/NAME`")),
            ),
            _ => None,
        }
    }

    /// An entry behind a later one that is for all its names and never leaves one to it.
    fn hidden(&self, place: usize, entry: &Dentry) -> Option<Finding> {
        let by = self.ends.wider(entry.prefix.elements()).filter(|by| *by > place)?;
        let by = self.entries.get(by)?;
        Some(Finding {
            needle: entry.prefix.to_string(),
            code: "hidden_route",
            message: format!("no name is left to this entry: `{by}` comes first, and ends all of them"),
            hint: Some("later entries come first; swap the two, or take this one out".to_owned()),
        })
    }
}

/// Whether nothing behind a tree is ever tried, wherever its names lead.
fn is_final(tree: &NameTree<Path>) -> bool {
    match tree {
        NameTree::Fail | NameTree::Empty => true,
        NameTree::Alt(trees) => trees.iter().any(is_final),
        // Branches that fail drop out; an empty one keeps its share.
        NameTree::Union(branches) => branches.iter().any(|branch| branch.tree == NameTree::Empty),
        NameTree::Leaf(_) | NameTree::Neg => false,
    }
}

fn leaves(tree: &NameTree<Path>) -> Vec<&Path> {
    match tree {
        NameTree::Leaf(path) => vec![path],
        NameTree::Alt(trees) => trees.iter().flat_map(leaves).collect(),
        NameTree::Union(branches) => branches.iter().flat_map(|Weighted { tree, .. }| leaves(tree)).collect(),
        NameTree::Neg | NameTree::Fail | NameTree::Empty => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named() -> Named {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Named {
            local: owned(&["users", "users-v1", "users-v2", "web"]),
            external: owned(&["stripe"]),
            remote: owned(&["staging/users"]),
            any: true,
        }
    }

    #[test]
    fn a_name_that_no_request_has_is_found_where_none_can_bring_its_own() {
        let people = "/svc/people => /#/local/users".parse().unwrap();
        let found = |any| lint(&people, &Rules::default(), &Named { any, ..named() });
        assert_eq!(found(true), []);
        let [finding] = found(false).try_into().unwrap();
        assert_eq!((finding.code, &*finding.needle), ("unmatched_route", "/svc/people"));
        assert!(finding.message.contains("no service is called `people`"), "{}", finding.message);
        let led = "/svc/people => /#/local/users ; /svc/web => /svc/people".parse().unwrap();
        assert_eq!(lint(&led, &Rules::default(), &Named { any: false, ..named() }), []);
    }

    #[test]
    fn addresses_without_a_port_are_found() {
        let cases = [
            ("/$/inet/127.0.0.1/99999", "`99999` is no port"),
            ("/$/inet/127.0.0.1", "it has no port: an address is `/$/inet/HOST/PORT`"),
            ("/$/inet/db/http", "it has no port"),
            ("/$/fixedinet", "an address is `/$/fixedinet/HOST/PORT`"),
            ("/$/io.buoyant.rinet/70000/db", "`70000` is no port"),
        ];
        for (leaf, flaw) in cases {
            let routes = format!("/svc/users => {leaf}").parse().unwrap();
            let [finding] = lint(&routes, &Rules::default(), &named()).try_into().unwrap();
            assert!(finding.code == "bad_address" && finding.message.contains(flaw), "{}", finding.message);
        }
    }

    fn endless(routes: &str) -> Vec<String> {
        let all = lint(&routes.parse().unwrap(), &Rules::default(), &named());
        all.into_iter().filter(|it| it.code == "endless_route").map(|it| it.message).collect()
    }

    fn found(routes: &str) -> Vec<String> {
        let all = lint(&routes.parse().unwrap(), &Rules::default(), &named());
        all.into_iter().map(|it| format!("{} {} {}", it.code, it.needle, it.hint.unwrap_or_default())).collect()
    }

    #[test]
    fn what_is_right_is_not_complained_of() {
        for right in [
            "/svc/users => 1 * /#/local/users-v2 & 99 * /#/local/users-v1 | /svc/web",
            "/svc/stripe => /#/external/stripe | /$/inet/127.0.0.1/80 | /#/fs/anything",
            "/svc/users => /#/remote/staging/users",
            "/svc/tomorrow => /svc/users ; /svc/web => /svc/tomorrow",
            "/host => /svc ; /svc/a.b => /host/users ; /svc/* => /#/local",
            "/anything => /b ; /svc => /$/io.buoyant.http.domainToPathPfx/anything",
            "/svc => /#/local ; /svc/users => /#/local/users-v2 | ~ ; /svc/users => /#/local/users | /svc/web",
            "",
        ] {
            assert_eq!(found(right), [""; 0], "{right}");
        }
    }

    #[test]
    fn names_of_nobody_are_found_with_what_was_meant() {
        let cases = [
            ("/svc/users => /#/local/users-v3", "unknown_service /#/local/users-v3 did you mean `users-v1`?"),
            ("/svc/users => ! | (/#/local/usrs & $)", "unknown_service /#/local/usrs did you mean `users`?"),
            (
                "/svc/web => /#/local/stripe",
                "unknown_service /#/local/stripe `/#/external/stripe` is what it is called",
            ),
            ("/svc/web => /#/external/stipe", "unknown_service /#/external/stipe did you mean `stripe`?"),
            ("/svc/web => /svc/userz", "unknown_service /svc/userz did you mean `users`?"),
            ("/svc/web => /#/locale/users", "unknown_namer /#/locale/users did you mean `local`?"),
            (
                "/svc/web => /#/io.l5d.fs/users",
                "unknown_namer /#/io.l5d.fs/users there are `/#/local`, `/#/fs`, `/#/external`, `/#/remote`",
            ),
            (
                "/svc/web => /#/remote/stagin/users",
                "unknown_remote /#/remote/stagin/users did you mean `staging/users`?",
            ),
        ];
        for (routes, finding) in cases {
            assert_eq!(found(routes), [finding], "{routes}");
        }
    }

    #[test]
    fn what_leads_back_to_itself_is_named() {
        let cases = [
            ("/svc/users => /svc/users", "from /svc/users on, `/svc/users=>/svc/users` leads back to itself"),
            (
                "/svc/web => /svc/users ; /svc/users => /a ; /a => /b ; /b => /a",
                "from /a on, these entries lead back to each other: `/a=>/b`, `/b=>/a`",
            ),
            ("/svc/users => /svc/users/x", "from /svc/users on, `/svc/users=>/svc/users/x` leads back to itself"),
            (
                "/svc/* => /svc/users | /svc/web",
                "from /svc/users on, `/svc/*=>/svc/users | /svc/web` leads back to itself",
            ),
            ("/s => /s/a & /s/b ; /svc/users => /s", "`/s=>/s/a & /s/b` leads back to itself"),
            // Names of namers are names as others are.
            ("/ => /#/local", "from /svc/users on, `/=>/#/local` leads back to itself"),
            // Where it is is not there, or is only one of several.
            (
                "/svc/users => /#/local/gone | /svc/web ; /svc/web => /svc/users",
                "`/svc/users=>/#/local/gone | /svc/web`, `/svc/web=>/svc/users`",
            ),
            (
                "/svc/users => /#/local/users & /svc/web ; /svc/web => /svc/users",
                "`/svc/users=>/#/local/users & /svc/web`, `/svc/web=>/svc/users`",
            ),
        ];
        for (routes, told) in cases {
            let ends = endless(routes);
            assert!(ends.len() == 1 && ends[0].contains(told), "{routes}: {ends:?}");
        }
        for fine in [
            "/svc/users => /#/local/users | /svc/users",
            "/svc/users => /svc/web ; /svc/web => /#/local/users",
            "/strip => / ; /svc/users => /strip/strip/svc/web",
            "/svc/users => /#/fs/users | /svc/users",
        ] {
            assert_eq!(endless(fine), [""; 0], "{fine}");
        }
        let chain: Vec<String> = (0..300).map(|n| format!("/n{n}=>/n{}", n + 1)).collect();
        let ends = endless(&format!("/svc/users=>/n0;{};/n300=>/#/local/users", chain.join(";")));
        assert_eq!(ends.len(), 1, "{ends:?}");
        assert!(ends[0].contains("100 names lead to each other"), "{ends:?}");
    }

    #[test]
    fn the_cost_grows_as_the_table_does() {
        type Form = fn(usize) -> String;
        let forms: [Form; 8] = [
            |n| format!("/svc/s{n}=>/svc/s{}", n + 1),
            |n| format!("/svc/s{n}=>/svc/users"),
            |n| format!("/a/s{n}=>/svc/t{n} | /svc/u{n}"),
            |_| "/svc/users=>/svc/users | !".to_owned(),
            |n| format!("/svc/*/x{n}=>/svc/n{n}/y"),
            |n| format!("/a/*/x{n}=>/a/n{n}/y"),
            |n| format!("/svc/*=>/svc/n{n} | !"),
            |n| format!("/*/*/*/*/{n}=>/a/b/c/d/{n}"),
        ];
        let named = named();
        for (place, form) in forms.into_iter().enumerate() {
            let looks = |count: usize| {
                let entries: Vec<String> = (0..count).map(form).collect();
                let routes: Dtab = entries.join(";").parse().unwrap();
                let lint = Lint::new(routes.entries(), &named);
                for (place, entry) in routes.entries().iter().enumerate() {
                    leaves(&entry.tree).into_iter().for_each(|leaf| drop(lint.target(leaf)));
                    drop(lint.unmatched(entry).or_else(|| lint.hidden(place, entry)));
                }
                1 + [&lint.own, &lint.led, &lint.ends].map(Trie::looks).iter().sum::<usize>()
            };
            let (few, many) = (looks(1000), looks(4000));
            assert!(many <= 4 * few + 10, "form {place}: {few} looks for 1000 entries, {many} for 4000");
        }
    }

    #[test]
    fn entries_that_no_name_comes_to_are_found() {
        let cases = [
            ("/svc/usres => /#/local/users-v2", "unmatched_route /svc/usres did you mean `users`?"),
            ("/srv/users => /#/local/users-v2", "unmatched_route /srv/users names of requests are `/svc/NAME`"),
            (
                "/svc/users => /#/local/users-v2 ; /svc => /#/local | !",
                "hidden_route /svc/users later entries come first; swap the two, or take this one out",
            ),
        ];
        for (routes, finding) in cases {
            assert_eq!(found(routes), [finding], "{routes}");
        }
    }
}
