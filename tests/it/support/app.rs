//! The program itself, on a port of its own.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;

use super::process::{Process, command};

/// A running `chunkwise`; killed at the end.
#[derive(Debug)]
pub(crate) struct App {
    process: Process,
    pub(crate) base: String,
    agent: ureq::Agent,
    /// What it says on standard output behind the address for HTTP.
    said: std::sync::Mutex<mpsc::Receiver<String>>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

impl App {
    /// Starts the program with `arguments` behind `--listen 127.0.0.1:0` and waits until it listens.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    /// The same with variables in its environment.
    pub(crate) fn start_with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start_at("127.0.0.1:0", arguments, variables)
    }

    /// The same at an address of the test's choice: where one that is gone was.
    pub(crate) fn start_at(listen: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::spawn(command(arguments).args(["--listen", listen]).envs(variables.iter().copied()))
    }

    /// The same with all that it logs in a file.
    pub(crate) fn start_logging(arguments: &[&str], log: &Path) -> Self {
        let mut command = command(arguments);
        Self::spawn(command.args(["--listen", "127.0.0.1:0"]).stderr(File::create(log).unwrap()))
    }

    /// The same of a command of the test's choice.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut process = Process::spawn(command.stdout(Stdio::piped()));
        let mut lines = BufReader::new(process.child.stdout.take().unwrap()).lines();
        let base = loop {
            let line = lines.next().expect("the program ended before it listened").unwrap();
            if let Some(base) = line.strip_prefix("listening on ") {
                break base.trim().to_owned();
            }
        };
        // A program whose output nobody reads would stop at a full pipe.
        let (say, said) = mpsc::channel();
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(say.send(line))));
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        Self { process, base, agent: config.into(), said: said.into() }
    }

    /// The rest of the next line on standard output that begins so: where another listener is. Each can be had once, in
    /// the order in which they are said.
    pub(crate) fn said(&self, beginning: &str) -> String {
        let said = self.said.lock().unwrap();
        loop {
            let line =
                said.recv_timeout(Duration::from_secs(10)).unwrap_or_else(|_| panic!("{beginning:?} is not said"));
            if let Some(rest) = line.strip_prefix(beginning) {
                return rest.to_owned();
            }
        }
    }

    /// Where it takes HTTP, for clients that want no URL.
    pub(crate) fn host_and_port(&self) -> (&str, &str) {
        self.base.strip_prefix("http://").and_then(|address| address.rsplit_once(':')).unwrap()
    }

    /// The process's number.
    pub(crate) fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// One of the system's counters of its memory, such as `VmRSS`, in bytes; `None` where the system does not tell.
    pub(crate) fn memory_bytes(&self, counter: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(counter)?.strip_prefix(':'))?;
        Some(line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024)
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Its exit code, which it must give within `limit`; -1 if a signal ended it.
    pub(crate) fn wait(&mut self, limit: Duration) -> i32 {
        self.process.wait(limit).code().unwrap_or(-1)
    }

    /// GET.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[])
    }

    /// GET with headers.
    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request.call())
    }

    /// POST.
    pub(crate) fn post(&self, path: &str, body: &[u8]) -> Answer {
        self.post_with(path, &[], body)
    }

    /// POST with headers.
    pub(crate) fn post_with(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = self.agent.post(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request.send(body))
    }

    /// DELETE.
    pub(crate) fn delete(&self, path: &str) -> Answer {
        answer(self.agent.delete(format!("{}{path}", self.base)).call())
    }

    /// POST with headers to a program that may be gone before it has answered: `None`.
    pub(crate) fn try_post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<Answer> {
        let mut request = self.agent.post(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send(body).and_then(read).ok()
    }

    /// POST of a JSON question.
    pub(crate) fn ask(&self, path: &str, question: &Value) -> Answer {
        self.post_with(path, &[("content-type", "application/json")], question.to_string().as_bytes())
    }

    /// Waits until a path answers with a status.
    pub(crate) fn wait_for(&self, path: &str, status: u16, limit: Duration) {
        let deadline = std::time::Instant::now() + limit;
        loop {
            let last = self.get(path);
            if last.status == status {
                return;
            }
            let body = String::from_utf8_lossy(&last.body);
            assert!(std::time::Instant::now() < deadline, "{path} still answers {}: {body}", last.status);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Asks it to stop and waits for its exit code.
    pub(crate) fn terminate(mut self) -> i32 {
        self.signal(Signal::TERM);
        self.wait(Duration::from_secs(60))
    }
}

fn answer(result: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    result.and_then(read).unwrap()
}

fn read(response: ureq::http::Response<ureq::Body>) -> Result<Answer, ureq::Error> {
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let mut body = Vec::new();
    response.into_body().into_reader().read_to_end(&mut body)?;
    Ok(Answer { status, headers, body })
}
