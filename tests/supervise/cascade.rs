//! Restarts that follow from restarts.

use super::fixture::Fixture;

/// `web` follows `api`, which follows `db`; `cart` depends on `db` and follows nobody.
const SHOP: &str = "web: depends_on: { api: { restart: true } } \
    | api: depends_on: { db: { condition: service_healthy, restart: true } }, ports: 80, restart: always \
    | cart: depends_on: { db: { condition: service_started } } \
    | db: ports: 5432, restart: { policy: always, backoff: { jitter: none } }";

fn running(services: &str) -> Fixture {
    let mut world = Fixture::new(services);
    world.up();
    world.launched("db");
    world.listens("db");
    world.launched("cart");
    world.launched("api");
    world.listens("api");
    world.launched("web");
    world
}

#[test]
fn a_restart_is_followed_link_by_link_once_each_is_there_again() {
    let mut world = running(SHOP);
    assert_eq!(world.restart(&["db"]), "signal db SIGTERM");
    assert_eq!(world.exited("db", 0), "launch db");
    // The followers go on until there is something to follow.
    assert_eq!((world.launched("db"), world.states().as_str()), (String::new(), "running ready running starting"));
    assert_eq!(world.listens("db"), "signal api SIGTERM");
    assert_eq!(world.exited("api", 0), "launch api");
    world.launched("api");
    assert_eq!(world.listens("api"), "signal web SIGTERM");
    assert_eq!(world.exited("web", 0), "launch web");
    world.launched("web");
    assert_eq!(world.states(), "running ready running ready");
}

#[test]
fn nobody_follows_a_crash() {
    let mut world = running(SHOP);
    world.exited("db", 1);
    world.pass(500);
    world.launched("db");
    assert_eq!(world.listens("db"), "");
    assert_eq!(world.states(), "running ready running ready");
}

#[test]
fn who_is_restarted_too_or_stopped_does_not_follow() {
    let mut world = running(SHOP);
    assert_eq!(world.restart(&["db", "api"]), "signal api SIGTERM, signal db SIGTERM");
    assert_eq!(world.stop(&["web"]), "signal web SIGTERM");
    world.exited("web", 0);
    world.exited("api", 0);
    world.exited("db", 0);
    world.launched("db");
    assert_eq!(world.listens("db"), "launch api");
    world.launched("api");
    assert_eq!((world.listens("api").as_str(), world.states().as_str()), ("", "stopped ready running ready"));
}

#[test]
fn a_rolling_replacement_is_followed_when_it_is_through_and_by_one() {
    let rolling =
        "web: depends_on: { api: { restart: true } }, ports: 80, strategy: rolling | api: ports: 80, strategy: rolling";
    let mut world = Fixture::new(rolling);
    world.up();
    world.launched("api");
    world.listens("api");
    world.launched("web");
    world.listens("web");
    assert_eq!(world.replace(&["api"]), "launch api#2");
    world.launched("api#2");
    assert_eq!(world.listens("api#2"), "launch web#2");
    world.launched("web#2");
    world.listens("web#2");
    assert_eq!((world.endpoints("web"), world.endpoints("api")), (vec![2], vec![2]));
}

#[test]
fn an_edit_and_a_job_that_runs_again_are_followed_too() {
    let mut world = Fixture::new("app: depends_on: { seed: { condition: completed, restart: true } } | seed");
    world.up();
    world.launched("seed");
    world.exited("seed", 0);
    world.launched("app");
    assert_eq!(world.restart(&["seed"]), "launch seed");
    world.launched("seed");
    assert_eq!(world.exited("seed", 0), "signal app SIGTERM");
    assert_eq!(world.exited("app", 0), "launch app");

    let mut world = running(SHOP);
    assert_eq!(world.apply(&SHOP.replace("ports: 5432,", "ports: 5432, environment: { A: b },")), "signal db SIGTERM");
    world.exited("db", 0);
    world.launched("db");
    assert_eq!(world.listens("db"), "signal api SIGTERM");
}
