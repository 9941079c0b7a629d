//! Services that are started again: by themselves, by hand, and because others were.

use crate::support::sandbox::{Account, Sandbox, until};

const MANIFEST: &str = r#"
name: again
services:
  bad:
    command: [sh, -c, 'test -e good || exit 3; exec sleep 1000']
    restart: { policy: on-failure, backoff: { base: 200ms, max: 10m, jitter: none }, reset: 500ms }
  db: { command: [sleep, '1000'] }
  api: { command: [sleep, '1000'], depends_on: { db: { condition: service_started, restart: true } } }
  web: { command: [sleep, '1000'], depends_on: [api] }
"#;

#[test]
fn a_crash_loop_is_told_with_its_count_and_its_next_try() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, MANIFEST);
        sandbox.nagaya(&["up", "-d", "bad"]).good();
        let row = || sandbox.row("bad");
        until("it has crashed several times", || row()["crashes"].as_u64() >= Some(4) && row()["state"] == "backoff");
        assert!(row()["next_start"].is_string(), "{}", row());
        let shown = sandbox.nagaya(&["ps"]).good().out;
        assert!(
            shown.contains("exited with 3,") && shown.contains("times in a row; it is started again in "),
            "{shown}"
        );
        let why = sandbox.nagaya(&["why", "bad", "--json"]).good().json();
        assert!(why["next"].to_string().contains("it is started again in"), "{why}");
        // By hand it is started at once; when it has been up for a while nothing is left of the loop but its count.
        sandbox.write("good", "");
        sandbox.nagaya(&["start", "bad"]).good();
        until("it is stable", || row()["state"] == "running" && row()["crashes"] == 0);
        assert!(row()["restarts"].as_u64() >= Some(3));
    }
}

/// The pauses between its starts grow to ten minutes, and nobody is to wait for that.
#[test]
fn who_asks_for_a_start_that_crashes_again_and_again_is_told_so() {
    let sandbox = Sandbox::new(&format!(
        "{MANIFEST}  served:\n    command: sh served.sh\n    ports: {{ http: 8080 }}\n    restart: on-failure\n"
    ));
    sandbox.write("served.sh", "exec python3 -m http.server --bind 127.0.0.1 $PORT");
    sandbox.nagaya(&["up", "-d", "--wait", "served"]).good();
    let loops = ["bad: exited with 3, 2 times in a row; it is started again", "`nagaya stop bad` ends the tries"];
    sandbox.nagaya(&["start", "bad"]).ended(1).says(&loops);
    sandbox.nagaya(&["restart", "bad"]).ended(1).says(&loops);
    let error = sandbox.nagaya(&["restart", "bad", "--json"]).ended(1).json();
    assert_eq!(error["error"]["code"], 1);
    let old = sandbox.pid("served");
    sandbox.write("served.sh", "echo the config is bad; exit 3");
    let run = sandbox.nagaya(&["restart", "served"]).ended(1);
    run.says(&["served#2: exited with 3, 2 times in a row", "the config is bad", "what ran before serves on"]);
    assert_eq!((sandbox.row("served")["state"].as_str(), sandbox.pid("served")), (Some("ready"), old));
    // One crash is none of a row.
    sandbox.write("once.sh", "test -e tried && exec sleep 1000; touch tried; exit 3");
    sandbox.write("nagaya.yaml", MANIFEST.replace("test -e good || exit 3; exec sleep 1000", ". ./once.sh"));
    sandbox.nagaya(&["up", "-d"]).good();
    until("it has tried", || sandbox.path("tried").exists());
    std::fs::remove_file(sandbox.path("tried")).unwrap();
    sandbox.nagaya(&["restart", "bad"]).good();
}

#[test]
fn nobody_waits_for_a_crash_loop_for_ever() {
    let sandbox = Sandbox::new(&MANIFEST.replace("base: 200ms", "base: 6s"));
    let run = sandbox.nagaya(&["up", "-d", "--wait"]).ended(1);
    run.says(&["bad: exited with 3, 2 times in a row", "`nagaya logs bad` shows more"]);
    sandbox.nagaya(&["wait", "bad"]).ended(1).says(&["bad: exited with 3"]);
    // What else there is goes on.
    assert_eq!(sandbox.row("web")["state"], "running");
}

#[test]
fn who_depends_on_a_restarted_service_so_is_restarted_after_it() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, MANIFEST);
        sandbox.nagaya(&["up", "-d", "--wait", "web"]).good();
        let pids = || ["db", "api", "web"].map(|name| sandbox.row(name)["pid"].as_u64());
        let before = pids();
        sandbox.nagaya(&["restart", "db"]).good();
        until("both are others", || {
            pids().iter().zip(&before).take(2).all(|(now, before)| now.is_some() && now != before)
        });
        assert_eq!(pids()[2], before[2], "nobody said that it follows");
    }
}

#[test]
fn why_has_the_exit_and_the_last_lines_of_a_version_that_does_not_come_up() {
    let sandbox = Sandbox::new(
        r#"
name: rolls
services:
  web:
    command: "if grep -q bad v; then echo no database; exit 4; fi; echo fine; exec python3 -m http.server 8080"
    ports: 8080
    watch: [v]
    restart: { policy: on-failure, max: 2, backoff: { base: 10ms } }
"#,
    );
    sandbox.write("v", "good");
    sandbox.up();
    sandbox.write("v", "bad");
    let why = || sandbox.nagaya(&["why", "web"]).good().out;
    until("the new one has failed for good", || why().contains("gave up after 2 restarts: exited with 4"));
    let told = why();
    assert!(
        told.contains("web#2 has failed") && told.contains("the last lines of web#2:\n    no database\n"),
        "{told}"
    );
    let told = sandbox.nagaya(&["why", "web", "--json"]).good().json();
    let unwell = &told["instances"][0];
    assert_eq!((&unwell["instance"], &unwell["state"], &unwell["exit_code"]), (&2.into(), &"failed".into(), &4.into()));
    assert_eq!((sandbox.row("web")["restarts"].as_u64(), &told["ready"]), (Some(0), &true.into()));
    // What comes then begins with a clean sheet.
    sandbox.write("v", "good again");
    let rows = || sandbox.nagaya(&["ps", "--json"]).good().json();
    until("the new one serves", || rows().as_array().unwrap().iter().all(|row| row["instance"] == 2));
    assert_eq!((&rows()[0]["state"], &rows()[0]["restarts"]), (&"ready".into(), &0.into()));
}

#[test]
fn why_has_the_exit_and_the_last_lines_of_one_of_several_instances() {
    let sandbox = Sandbox::new(
        "name: several\nservices:\n  users: { command: 'mkdir taken && { echo out of luck; exit 5; }; echo lucky; exec sleep \
         infinity', replicas: 3 }\n",
    );
    sandbox.nagaya(&["up", "-d"]).good();
    let states = || sandbox.nagaya(&["ps", "--json"]).good().json();
    let count = |state: &str| states().as_array().unwrap().iter().filter(|row| row["state"] == state).count();
    until("one has failed", || (count("failed"), count("running")) == (1, 2));
    let told = sandbox.nagaya(&["why", "users"]).good().out;
    assert!(told.contains("has failed: exited with 5") && told.contains(":\n    out of luck\n"), "{told}");
    assert!(!told.contains("    lucky"), "the lines of that one alone: {told}");
}

#[test]
fn what_has_completed_is_not_run_again_by_scale() {
    let sandbox = Sandbox::new("services:\n  job: { command: echo x >> runs }\n  web: { command: sleep infinity }\n");
    sandbox.up();
    until("it has completed", || sandbox.row("job")["state"] == "completed");
    sandbox.nagaya(&["scale", "job=2"]).ended(2).says(&["job has completed", "`nagaya start job`"]);
    sandbox.nagaya(&["up", "-d", "--scale", "job=3"]).ended(2).says(&["job has completed"]);
    sandbox.nagaya(&["scale", "web=2"]).good();
    let events = sandbox.nagaya(&["events"]).good().out;
    assert!(events.contains(" web#2  ● running"), "an event says of which instance it is: {events}");
    assert_eq!(std::fs::read_to_string(sandbox.path("runs")).unwrap(), "x\n");
}

#[test]
fn a_service_with_a_schedule_runs_at_its_times() {
    for account in Account::all() {
        let sandbox = Sandbox::of(
            account,
            "services:\n  job: { command: date +%s%N >> runs, schedule: '* * * * * *' }\n  \
             late: { command: 'true', schedule: { cron: '@yearly', timezone: Europe/Berlin } }\n",
        );
        sandbox.up();
        let runs = || std::fs::read_to_string(sandbox.path("runs")).unwrap_or_default();
        until("it has run several times", || runs().lines().count() >= 3);
        // Each soon after a second has begun.
        let seconds: Vec<u64> = runs().lines().map(|line| line.parse::<u64>().unwrap() / 1_000_000_000).collect();
        assert!(seconds.windows(2).all(|pair| pair[1] > pair[0]), "{seconds:?}");
        let late = sandbox.row("late");
        assert_eq!(late["state"], "idle");
        assert!(late["next_start"].as_str().unwrap().ends_with("-12-31T23:00:00.000Z"), "{late}");
        let why = sandbox.nagaya(&["why", "late", "--json"]).good().json();
        assert!(why["next"].as_str().unwrap().ends_with("-12-31T23:00:00Z"), "{why}");
        sandbox.nagaya(&["stop", "job"]).good();
        sandbox.nagaya(&["start", "late"]).good();
        until("it has run by hand", || sandbox.row("late")["state"] == "completed");
    }
}

#[test]
fn a_stop_that_somebody_takes_back_is_not_waited_for() {
    let sandbox = Sandbox::new(
        "name: one\nservices: { web: { command: \"trap '' TERM; touch begun; while :; do sleep 0.1; done\", stop_grace_period: 1000s } }\n",
    );
    sandbox.nagaya(&["up", "-d", "--wait"]).good();
    until("it ignores it", || sandbox.path("begun").exists());
    let stop = sandbox.start(&["stop", "web"]);
    let state = || sandbox.nagaya(&["ps", "--json"]).good().out;
    until("it is asked to stop", || state().contains("\"stopping\""));
    let start = sandbox.start(&["start", "web"]);
    stop.end().ended(1).says(&["web was started again meanwhile"]);
    sandbox.nagaya(&["kill", "web"]).good();
    drop(start);
    sandbox.nagaya(&["down", "--force"]).good();
}
