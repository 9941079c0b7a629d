//! What services write: all of it, in order.

use std::fs;

use crate::support::sandbox::{Sandbox, full, signal, until};

/// So many lines of 99 letters, or as many bytes in fewer and longer ones where not everything is tested at its full size.
fn sized(lines: usize) -> (usize, usize) {
    if full() { (lines, 99) } else { (lines / 5, 499) }
}

/// Prints numbered lines of a width, then a word, then nothing more.
fn numbered((count, width): (usize, usize)) -> Sandbox {
    let sandbox = Sandbox::new("name: lines\nservices:\n  web: { command: [python3, lines.py] }\n");
    let program = format!(
        "import sys, time\nfor i in range({count}):\n    sys.stdout.write(f'{{i:09}} '.ljust({width}, 'x') + '\\n')\n\
         sys.stdout.flush()\nprint('the end', flush=True)\ntime.sleep(1e6)\n"
    );
    sandbox.write("lines.py", program);
    sandbox
}

/// The numbers at the head of lines.
fn numbers(text: &str) -> Vec<usize> {
    text.lines().filter_map(|line| line.split_whitespace().find_map(|word| word.parse().ok())).collect()
}

#[test]
fn none_are_lost_and_all_are_in_order_while_somebody_follows() {
    // More than is kept, so that segments are deleted while they are followed.
    let size @ (count, _) = sized(if full() { 1_000_000 } else { 600_000 });
    let sandbox = numbered(size);
    sandbox.nagaya(&["up", "-d"]).good();
    let follower = sandbox.start(&["logs", "-f", "web"]);
    until("the last line is followed", || follower.out_end().contains("the end"));
    let seen = numbers(&follower.out());
    assert_eq!(seen.len(), count);
    assert!(seen.iter().enumerate().all(|(place, number)| place == *number));
    follower.signal("INT");
    follower.end();
}

#[test]
fn a_follower_says_that_the_engine_has_ended() {
    for (words, shown) in [(["logs", "-f"], "web | begun"), (["events", "-f"], "web  ● running")] {
        let sandbox = Sandbox::new("name: ends\nservices:\n  web: { command: 'echo begun; exec sleep infinity' }\n");
        sandbox.up();
        let follower = sandbox.start(&words);
        until("it follows", || follower.out().contains(shown));
        sandbox.nagaya(&["down"]).good();
        follower.end().good().says(&["ends has ended"]);
        sandbox.up();
        let follower = sandbox.start(&words);
        until("it follows", || follower.out().contains(shown));
        signal("KILL", sandbox.engine()["pid"].as_u64().unwrap().try_into().unwrap());
        follower.end().ended(1).says(&["the engine ended unexpectedly", "nagaya up"]);
        sandbox.nagaya(&["down"]);
    }
}

#[test]
fn events_are_chosen_as_requests_are() {
    let sandbox =
        Sandbox::new("name: some\nservices:\n  web: { command: exec sleep infinity }\n  job: { command: 'true' }\n");
    sandbox.up();
    let shown = |words: &[&str]| {
        let out = sandbox.nagaya(&[&["events"], words].concat()).good().out;
        out.lines().map(|line| line[13..].to_owned()).collect::<Vec<_>>()
    };
    until("the job has completed", || shown(&["job"]).last().is_some_and(|line| line == "job  ✓ completed"));
    let all = shown(&[]);
    assert_eq!(shown(&["-n", "2"]), all[all.len() - 2..]);
    assert_eq!(shown(&["--tail", "0"]), [""; 0]);
    let of_job = shown(&["job"]);
    assert!(of_job.len() < all.len() && of_job.iter().all(|line| line.starts_with("job  ")), "{of_job:?}");
    assert_eq!(shown(&["job", "--tail", "1"]), ["job  ✓ completed"]);
    sandbox.nagaya(&["events", "jib"]).ended(2).says(&["there is no service `jib`", "did you mean `job`?"]);
    let follower = sandbox.start(&["events", "-f", "-n", "1", "web"]);
    until("it follows", || follower.out().contains("web  ● running"));
    sandbox.nagaya(&["restart", "job"]).good();
    sandbox.nagaya(&["stop", "web"]).good();
    until("what comes is shown", || follower.out().contains("web  · stopped"));
    assert!(!follower.out().contains("job"), "{}", follower.out());
    follower.signal("INT");
    follower.end();
}

#[test]
fn what_was_kept_is_read_after_the_end() {
    let sandbox = numbered((1000, 99));
    sandbox.up();
    until("all is there", || sandbox.nagaya(&["logs", "web", "--tail", "1"]).out.contains("the end"));
    assert_eq!(numbers(&sandbox.nagaya(&["logs", "web"]).good().out), (0..1000).collect::<Vec<_>>());
    let tail = sandbox.nagaya(&["logs", "web", "--tail", "3"]).good().out;
    assert_eq!(numbers(&tail), [998, 999]);
    let found = sandbox.nagaya(&["logs", "web", "--grep", "^0000004(2|3)0"]).good().out;
    assert_eq!(numbers(&found), [420, 430]);
    let line = sandbox.nagaya(&["logs", "web", "--tail", "1", "--json"]).good().json();
    assert_eq!(
        (&line["service"], &line["stream"], &line["message"]),
        (&"web".into(), &"stdout".into(), &"the end".into())
    );
}

#[test]
fn strange_bytes_long_lines_and_lines_without_an_end_are_kept() {
    let sandbox = Sandbox::new("name: odd\nservices:\n  web: { command: [python3, odd.py] }\n");
    sandbox.write(
        "odd.py",
        "import sys\nw = sys.stdout.buffer.write\nw(b'\\xff\\xfe bytes\\n')\nw(b'y' * 200000 + b'\\n')\n\
         w(b'\\x1b[31mred\\x1b[0m\\r\\n')\nw(b'no end')\n",
    );
    sandbox.nagaya(&["up", "-d"]).good();
    until("it has ended", || sandbox.row("web")["state"] == "completed");
    let out = sandbox.nagaya(&["logs", "web", "--color", "never"]).good().out;
    assert!(out.contains("bytes") && out.contains("no end") && out.contains("red"), "{}", &out[..200]);
    assert!(!out.contains('\u{1b}'), "colours are left out where they are not wanted");
    assert_eq!(out.matches('y').count() - out.matches("bytes").count(), 200_000);
}

#[test]
fn old_output_makes_room_for_new() {
    let size @ (count, _) = sized(700_000);
    let sandbox = numbered(size);
    sandbox.nagaya(&["up", "-d"]).good();
    until("all is there", || sandbox.nagaya(&["logs", "web", "--tail", "1"]).out.contains("the end"));
    let kept: u64 = fs::read_dir(sandbox.home().join("logs/web"))
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    assert!(kept <= 61 << 20, "{kept} bytes are kept");
    let seen = numbers(&sandbox.nagaya(&["logs", "web"]).good().out);
    assert_eq!(seen.last(), Some(&(count - 1)));
    assert!(seen.windows(2).all(|pair| pair[1] == pair[0] + 1));
}

#[test]
fn what_is_written_meanwhile_is_not_waited_for() {
    let sandbox = Sandbox::new("name: busy\nservices:\n  web: { command: 'yes busy' }\n");
    sandbox.up();
    let tail = sandbox.nagaya(&["logs", "web", "--tail", "3"]).good().out;
    assert!(tail.lines().count() < 100_000, "{} lines", tail.lines().count());
    let progress = Sandbox::new("name: bar\nservices:\n  web: { command: 'printf \"one\\rtwo\\n\"' }\n");
    progress.up();
    assert_eq!(progress.nagaya(&["logs", "web"]).good().out, "one two\n");
}

#[test]
fn short_runs_go_on_in_the_same_segment_also_after_a_crash() {
    let sandbox = Sandbox::new("name: runs\nservices:\n  web: { command: 'echo one more; exec sleep infinity' }\n");
    for run in 1..=4 {
        sandbox.up();
        let lines = || sandbox.nagaya(&["logs", "web", "--since", "10m"]).good().out.matches("one more").count();
        until("the line is there", || lines() == run);
        let segments = sandbox.home().join("logs/web");
        assert_eq!(fs::read_dir(&segments).unwrap().count(), 1);
        sandbox.nagaya(&["down"]).good();
        // As an engine leaves it that is killed while it writes.
        let newest = segments.join("000001.log");
        let half = format!("{}2026-11-21T12:00", fs::read_to_string(&newest).unwrap());
        fs::write(newest, half).unwrap();
    }
}
