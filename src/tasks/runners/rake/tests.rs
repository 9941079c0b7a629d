//! Rakefiles in which names are computed, and those in which they only look so.

use super::*;

/// What is found, by name, and how often names are computed.
fn told(text: &str) -> (Vec<String>, usize) {
    let code = Code::of(text, &RUBY);
    let reading = Rakefile::read(&code);
    (reading.tasks.into_iter().map(|it| it.name).collect(), reading.gaps.iter().map(|it| it.count).sum())
}

#[test]
fn names_that_are_computed_are_counted() {
    let cases: &[(&str, &[&str], usize)] = &[
        ("%w[x y].each { |n| task n }\ntask :s", &["s"], 1),
        ("%w[x y].each { |n| task(n) { 1 } }\ntask :s", &["s"], 1),
        ("[1].each do |n| task n do 1 end end\ntask :s", &["s"], 1),
        ("task n\nmultitask n => :a\nfile n\nfile \"#{n}.o\"\ntask :s", &["s"], 4),
        ("task \"a\" + n\ntask \"%s\" % n\ntask 's'", &["s"], 2),
        ("Rake::Task.define_task(n)\nRake::Task.define_task(:s)", &["s"], 1),
        ("Rake::TestTask.new(n)\nRake::TestTask.new(:s)\nRake::TestTask.new do |t| t.x end", &["s", "test"], 1),
        ("[1].each { |n| namespace(n) { task :in } }\ntask :s", &["s"], 1),
        ("namespace(:a) { task :in }\ntask :s", &["a:in", "s"], 0),
        ("[1].each do |n| namespace :a do\ntask n\nend end\nnamespace :b do\ntask :s\nend", &["b:s"], 1),
        ("[1].each { |n| task :literal }", &["literal"], 0),
    ];
    for (text, names, count) in cases {
        let names = names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        assert_eq!(told(text), (names, *count), "{text}");
    }
}

#[test]
fn what_only_has_the_name_of_a_call_is_none() {
    let text = "x.each { |file| file.puts 1 }\nx.each do |task, file| task.a = 1; file if task end\n\
        y(task: 1, file: 2) { { task: 1 } }\nfile = 1\nfile\ndef task(n) end\nz ? file : task\nfile[:a] = 1\n\
        Rake::TestTask.new do |task|\n  task.libs << 'a'\n  task.pattern = 'b'\nend\n";
    assert_eq!(told(text), (vec!["test".to_owned()], 0));
}
