//! States that Podman tells of and Docker's API has not, put into its words.

use bollard::errors::Error;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Podman's word for a state, and Docker's (`libpod/define/containerstate.go`). A container of Podman's is `stopped` for
/// as long as its network is still being taken down, and what ends at once is often met so.
const WORDS: [(&str, &str); 3] = [("configured", "created"), ("initialized", "created"), ("stopped", "exited")];

/// Where states are: in what is said of one container, and in each row of a list.
const PLACES: [&str; 2] = ["/State/Status", "/State"];

/// An answer about containers, also where it has a state of Podman's alone. Errors are those that came.
pub fn understood<T: DeserializeOwned>(answer: Result<T, Error>) -> Result<T, Error> {
    let Err(Error::JsonDataError { contents, .. }) = &answer else { return answer };
    let Ok(mut value) = serde_json::from_str(contents) else { return answer };
    match &mut value {
        Value::Array(rows) => rows.iter_mut().for_each(translate),
        one => translate(one),
    }
    serde_json::from_value(value).or(answer)
}

fn translate(container: &mut Value) {
    for place in PLACES {
        let Some(Value::String(state)) = container.pointer_mut(place) else { continue };
        if let Some((_, word)) = WORDS.iter().find(|(podmans, _)| podmans == state) {
            *state = (*word).to_owned();
        }
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum, ContainerSummary};

    use super::*;

    /// As the API's client reads it.
    fn read<T: DeserializeOwned>(contents: &str) -> Result<T, Error> {
        serde_json::from_str(contents).map_err(|error| Error::JsonDataError {
            message: error.to_string(),
            contents: contents.to_owned(),
            column: error.column(),
        })
    }

    #[test]
    fn podmans_states_are_understood() {
        for (word, meant) in
            [("stopped", ContainerStateStatusEnum::EXITED), ("initialized", ContainerStateStatusEnum::CREATED)]
        {
            let text = format!(r#"{{"Id":"a","State":{{"Status":"{word}","Running":false,"ExitCode":3}}}}"#);
            let answer = || read::<ContainerInspectResponse>(&text);
            assert!(answer().is_err(), "the client knows `{word}` itself by now");
            let state = understood(answer()).unwrap().state.unwrap();
            assert_eq!((state.status, state.exit_code), (Some(meant), Some(3)));
        }
        let rows = r#"[{"Id":"a","State":"running"},{"Id":"b","State":"stopped"}]"#;
        let rows = understood(read::<Vec<ContainerSummary>>(rows)).unwrap();
        assert_eq!(rows.iter().filter_map(|row| row.id.as_deref()).collect::<String>(), "ab");
    }

    #[test]
    fn what_nobody_knows_stays_an_error() {
        let answer = read::<ContainerInspectResponse>(r#"{"State":{"Status":"dreaming"}}"#);
        assert!(understood(answer).unwrap_err().to_string().contains("dreaming"));
    }
}
