//! Keys whose values are one of a few words.

use serde_json::{Value as Json, json};

use crate::manifest::node::Node;
use crate::manifest::problem::{Problem, Problems};
use crate::manifest::read::{Definitions, Read, read_word, text_of};
use crate::model::{Condition, Egress, Jitter, NetworkMode, Signal, Strategy};

macro_rules! words {
    ($(#[doc = $doc:literal])* $name:ident($type:ty) = $words:expr) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name(pub $type);

        impl Read for $name {
            fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
                read_word(node, &$words, problems).map(Self)
            }

            fn schema(_: &mut Definitions) -> Json {
                json!({ "enum": $words.map(|(word, _)| word) })
            }
        }
    };
}

words! {
    /// How host processes see the network; nothing for `auto`.
    NetworkWord(Option<NetworkMode>) = [
        ("auto", None),
        ("pod", Some(NetworkMode::Pod)),
        ("names", Some(NetworkMode::Names)),
        ("env", Some(NetworkMode::Env)),
    ]
}

words! {
    /// What names requests.
    IdentifierWord(NamedBy) = [
        ("host", NamedBy::Host),
        ("method-and-host", NamedBy::MethodAndHost),
        ("l5d-name", NamedBy::Name),
        ("grpc", NamedBy::Grpc),
    ]
}

/// What names requests, without more to be said.
#[derive(Debug, Clone, Copy)]
pub enum NamedBy {
    Host,
    MethodAndHost,
    /// The header `l5d-name`.
    Name,
    Grpc,
}

words! {
    /// What runs the service of a template.
    RunsOnWord(Option<RunsOn>) =
        [("auto", None), ("host", Some(RunsOn::Host)), ("container", Some(RunsOn::Container))]
}

/// What runs the service of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunsOn {
    /// The host's own program.
    Host,
    Container,
}

words! {
    /// A dependency's condition.
    ConditionWord(Condition) = Condition::WORDS
}

words! {
    /// How delays are blurred.
    JitterWord(Jitter) = [("none", Jitter::None), ("full", Jitter::Full), ("equal", Jitter::Equal)]
}

words! {
    /// Whose defaults hold where nothing is written.
    MeshWord(()) =
        [("linkerd1", ()), ("linkerd2", ()), ("istio", ()), ("envoy", ()), ("gateway", ()), ("none", ())]
}

words! {
    /// How an endpoint is chosen.
    BalanceWord(()) = [("ewma", ()), ("least_request", ()), ("round_robin", ())]
}

words! {
    /// Allowed or not.
    EgressWord(Egress) = [("allow", Egress::Allow), ("deny", Egress::Deny)]
}

words! {
    /// What a change of a watched file does.
    ActionWord(Action) = [
        ("restart", Action::Restart),
        ("rebuild", Action::Rebuild),
        ("signal", Action::Signal),
        ("run", Action::Run),
    ]
}

words! {
    /// How an instance is replaced.
    StrategyWord(Strategy) = [("rolling", Strategy::Rolling), ("recreate", Strategy::Recreate)]
}

/// What a change of a watched file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Restart,
    Rebuild,
    Signal,
    Run,
}

/// A signal by name or number.
#[derive(Debug, Clone, Copy)]
pub struct SignalWord(pub Signal);

impl Read for SignalWord {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let text = text_of(node, "a signal such as `SIGTERM`", problems)?;
        let signal = Signal::parse(text);
        if signal.is_none() {
            let names: Vec<_> = Signal::names().collect();
            let spelled = format!("SIG{}", text.to_uppercase().trim_start_matches("SIG"));
            let near = names.iter().find(|name| strsim::damerau_levenshtein(name, &spelled) <= 1);
            let hint = near.map(|name| format!("did you mean `{name}`?"));
            let problem = Problem::error("unknown_signal", format!("`{text}` is no signal that can be sent here"));
            problems
                .push(problem.at(node.span).maybe_hint(hint.or_else(|| Some(format!("one of {}", names.join(", "))))));
        }
        signal.map(Self)
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": ["string", "integer"], "examples": ["SIGTERM", "SIGINT"] })
    }
}
