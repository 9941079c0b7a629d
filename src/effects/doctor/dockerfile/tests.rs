//! Advice by examples: what is told, and what is left alone.

use super::*;

#[track_caller]
fn lines(text: &str) -> Vec<(usize, String)> {
    advise(text, true).into_iter().map(|advice| (advice.line, advice.message)).collect()
}

/// With an image of a version and an account, so that there is nothing else to be said.
#[track_caller]
fn told(body: &str) -> Vec<String> {
    let text = format!("FROM node:22\n{body}\nUSER node\n");
    lines(&text).into_iter().map(|(line, message)| format!("{line}: {message}")).collect()
}

#[test]
fn what_is_copied_before_an_install_is_told() {
    let bad = [
        ("COPY . .\nRUN npm ci", "2: all of the folder is copied before line 3 installs"),
        (
            "WORKDIR /app\nADD ./ ./\nRUN npm ci --omit=dev && npm run build",
            "3: all of the folder is copied before line 4",
        ),
        ("COPY --chown=node . .\nRUN --mount=type=cache,target=/x yarn install --frozen-lockfile", "2: all"),
        ("COPY [\".\", \".\"]\nRUN [\"npm\", \"ci\"]", "2: all"),
        ("copy . .\nrun pip install --no-cache-dir \\\n  # the usual\n  -r requirements.txt", "2: all"),
        ("COPY . .\nRUN <<END\nset -e\nnpm ci\nEND", "2: all"),
    ];
    for (body, expected) in bad {
        assert!(told(body).iter().any(|it| it.starts_with(expected)), "{body}: {:?}", told(body));
    }
    let good = [
        "COPY package.json package-lock.json ./\nRUN npm ci\nCOPY . .\nRUN npm run build",
        "COPY --from=build . .\nRUN npm ci",
        "COPY src ./src\nRUN npm ci",
        "COPY . .\nRUN npm install -g typescript@5.4.5",
        "COPY . .\nRUN pip install --no-deps .",
        "COPY . .\nRUN echo npm ci",
        "COPY package.json ./\nRUN npm install\nCOPY . .\nRUN npm install",
    ];
    for body in good {
        assert_eq!(told(body), [""; 0], "{body}");
    }
    let fix = &advise("FROM golang:1.24\nCOPY . .\nRUN go mod download\nUSER 1000\n", true)[0].fix;
    assert_eq!(fix, "`COPY go.mod go.sum ./` first, then install, then `COPY . .`");
}

#[test]
fn versions_that_are_not_named_are_told() {
    let bad = [
        ("RUN apt-get update && apt-get install -y --no-install-recommends curl git=1:2.39.*", "no version of curl is"),
        ("RUN apt-get update && apt-get install -y \\\n    curl \\\n    git", "no version of curl, git is"),
        ("RUN apk add --no-cache --virtual .build gcc", "no version of gcc is"),
        ("RUN pip install flask==3.0.0 gunicorn", "no version of gunicorn is"),
        ("RUN npm install -g typescript", "no version of typescript is"),
        ("RUN gem install bundler", "no version of bundler is"),
        ("RUN apt-get update\nRUN apt-get install -y curl=7.*", "the lists of packages have a layer of their own"),
    ];
    for (body, expected) in bad {
        let all = told(body);
        assert!(all.len() == 1 && all[0].contains(expected), "{body}: {all:?}");
    }
    let good = [
        "RUN apt-get update && apt-get install -y curl=7.* git=1:2.39.5-0",
        "RUN apt-get install -y ./local.deb",
        "RUN apk add --no-cache 'curl>8' git=2.40",
        "RUN pip install -r requirements.txt",
        "RUN pip install --no-cache-dir -r requirements.txt -c constraints.txt",
        "RUN pip install .",
        "RUN pip install \"$PACKAGE\"",
        "RUN npm install -g @scope/tool@1.0.0 npm@10",
        "RUN gem install bundler -v 2.5.0",
        "RUN apt-get update && apt-get upgrade -y",
        "RUN echo \"apt-get install curl\"",
    ];
    for body in good {
        assert_eq!(told(body), [""; 0], "{body}");
    }
}

#[test]
fn images_and_accounts_are_looked_at_by_stages() {
    let version = |image: &str| lines(&format!("FROM {image}\nUSER 1\n"));
    for image in ["node", "node:latest", "registry:5000/a/node", "--platform=linux/amd64 node AS x"] {
        assert!(version(image).len() == 1 && version(image)[0].1.contains("tomorrow"), "{image}");
    }
    for image in ["node:22", "scratch", "node@sha256:abc", "$BASE", "registry:5000/a/node:1"] {
        assert_eq!(version(image), [], "{image}");
    }
    let staged =
        "FROM node:22 AS build\nUSER root\nRUN true\nFROM build AS test\nFROM debian:12\nCOPY --from=build /a /a\n";
    assert_eq!(
        lines(staged).iter().map(|it| it.0).collect::<Vec<_>>(),
        [5],
        "only what runs in the end has an account"
    );
    let inherited = "FROM node:22 AS base\nUSER node\nFROM base\nCMD [\"node\"]\n";
    assert_eq!(lines(inherited), []);
    assert_eq!(lines("FROM node:22\nUSER node\nUSER 0:0\n").iter().map(|it| it.0).collect::<Vec<_>>(), [3]);
    assert_eq!(lines("FROM gcr.io/distroless/static:nonroot\n"), []);
}

#[test]
fn a_missing_dockerignore_is_told_where_all_is_copied() {
    let text = "FROM node:22\nCOPY a b ./\nCOPY . /app\nUSER node\n";
    let advice = advise(text, false);
    assert!(advice.len() == 1 && advice[0].line == 3 && advice[0].message.contains(".dockerignore"), "{advice:?}");
    assert_eq!(advise(text, true), []);
    assert_eq!(advise("FROM node:22\nCOPY a b ./\nUSER node\n", false), []);
}

#[test]
fn all_forms_of_writing_are_read_with_their_lines() {
    let text = "# escape=`\n# a\nFROM windows:1 `\n  AS x\n\nRUN a `\n\n# between\n  b\nRUN <<-'END' cat\n\tFROM no\n\tEND\nUSER u\n";
    let all = instructions(text);
    let shown: Vec<_> = all.iter().map(|it| (it.line, it.word.as_str())).collect();
    assert_eq!(shown, [(3, "FROM"), (6, "RUN"), (10, "RUN"), (13, "USER")]);
    assert_eq!(all[1].words(), ["a", "b"]);
    // What no builder would take is nobody's advice, and no trouble.
    for text in ["", "\\", "FROM", "RUN \"", "COPY", "FROM \nCOPY .\nUSER", "RUN <<X"] {
        let _ = advise(text, false);
    }
}
