//! Renders the bench's cases with minijinja, from its own values, and says how long one takes.
//!
//!     minijinja_peer CASES.json check            the texts, as JSON lines
//!     minijinja_peer CASES.json time MILLISECONDS    "name<TAB>ns per render<TAB>ns per compile" a line
use std::time::{Duration, Instant};

use minijinja::value::{Kwargs, Rest, Value};
use minijinja::{Environment, Error, ErrorKind};

/// json.dumps(ensure_ascii=False) of Python: ", " and ": " between items.
fn dumps(out: &mut String, value: &serde_json::Value, indent: Option<usize>, depth: usize) {
    let newline = |out: &mut String, depth: usize| {
        if let Some(n) = indent {
            out.push('\n');
            out.extend(std::iter::repeat(' ').take(n * depth));
        }
    };
    let comma = if indent.is_some() { "," } else { ", " };
    match value {
        serde_json::Value::Array(items) if !items.is_empty() => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 { out.push_str(comma); }
                newline(out, depth + 1);
                dumps(out, item, indent, depth + 1);
            }
            newline(out, depth);
            out.push(']');
        }
        serde_json::Value::Object(map) if !map.is_empty() => {
            out.push('{');
            for (i, (key, item)) in map.iter().enumerate() {
                if i > 0 { out.push_str(comma); }
                newline(out, depth + 1);
                out.push_str(&serde_json::to_string(key).unwrap());
                out.push_str(": ");
                dumps(out, item, indent, depth + 1);
            }
            newline(out, depth);
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

fn tojson(value: Value, args: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let _ = args;
    let indent: Option<usize> = kwargs.get("indent")?;
    let _: Option<bool> = kwargs.get("ensure_ascii")?;
    let json = serde_json::to_value(&value).map_err(|e| Error::new(ErrorKind::InvalidOperation, e.to_string()))?;
    let mut out = String::new();
    dumps(&mut out, &json, indent, 0);
    Ok(Value::from_safe_string(out))
}

fn environment<'a>(name: &'a str, source: &'a str) -> Result<Environment<'a>, Error> {
    let mut env = Environment::new();
    env.set_trim_blocks(true);
    env.set_lstrip_blocks(true);
    env.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    env.add_filter("tojson", tojson);
    env.add_function("raise_exception", |message: String| -> Result<Value, Error> { Err(Error::new(ErrorKind::InvalidOperation, message)) });
    env.add_function("strftime_now", |format: String| -> String { if format == "%Y-%m-%d" { "2026-07-26".into() } else { "26 Jul 2026".into() } });
    env.add_template(name, source)?;
    Ok(env)
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let text = std::fs::read_to_string(&args[1]).expect("the cases");
    let cases: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let source = case["template"].as_str().unwrap();
        let context = Value::from_serialize(&case["context"]);
        let env = match environment(name, source) {
            Ok(env) => env,
            Err(why) => { println!("{}", serde_json::json!({"name": name, "error": format!("{why:#}")})); continue; }
        };
        let template = env.get_template(name).unwrap();
        if args[2] == "check" {
            match template.render(&context) {
                Ok(text) => println!("{}", serde_json::json!({"name": name, "text": text})),
                Err(why) => println!("{}", serde_json::json!({"name": name, "error": format!("{why:#}")})),
            }
            continue;
        }
        let budget = Duration::from_millis(args[3].parse().unwrap());
        let (mut rounds, mut best, started) = (0u64, f64::MAX, Instant::now());
        while started.elapsed() < budget || rounds == 0 {
            let batch = Instant::now();
            for _ in 0..20 {
                std::hint::black_box(template.render(&context).map(|t| t.len()).unwrap_or(0));
            }
            best = best.min(batch.elapsed().as_nanos() as f64 / 20.0);
            rounds += 1;
        }
        let mut compile = f64::MAX;
        for _ in 0..5 {
            let once = Instant::now();
            std::hint::black_box(environment(name, source).is_ok());
            compile = compile.min(once.elapsed().as_nanos() as f64);
        }
        println!("{name}\t{best:.0}\t{compile:.0}");
    }
}
