//! A server for one test: the built program on a free port, in a folder of its own, gone when the test ends.

use crate::{Client, Raw, eventually};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// How the keyspace and the threads may be laid out: without locks, with locks but one thread, and with four threads.
const LAYOUTS: &[&str] = &["--threads 1", "--threads 1 --shards 64", "--threads 4"];

/// Ways of talking to the kernel.
const BACKENDS: &[&str] = &["epoll", "io_uring"];

/// Runs a test against a server in each layout, the ways of talking to the kernel in turn.
pub fn in_each_layout(test: impl Fn(&Server)) {
    in_each_layout_with("", test);
}

/// As [`in_each_layout`], with more arguments.
pub fn in_each_layout_with(arguments: &str, test: impl Fn(&Server)) {
    static TURN: AtomicUsize = AtomicUsize::new(0);
    for layout in LAYOUTS {
        let backend = BACKENDS[TURN.fetch_add(1, Ordering::Relaxed) % BACKENDS.len()];
        test(&Server::start(&format!("{layout} --io-backend {backend} {arguments}")));
    }
}

/// Runs a test that is about connections with each way of talking to the kernel, with one thread and with four.
pub fn on_each_backend(arguments: &str, test: impl Fn(&Server)) {
    for backend in BACKENDS {
        for threads in [1, 4] {
            test(&Server::start(&format!("--threads {threads} --io-backend {backend} {arguments}")));
        }
    }
}

/// The program: what `OCHRE_SERVER` names, or one that is built now.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(path) = std::env::var_os("OCHRE_SERVER") {
            return path.into();
        }
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let build = ["build", "--quiet", "--profile", "checked", "--package", "ochre-server"];
        let status = Command::new(env!("CARGO")).args(build).current_dir(&top).status().expect("cargo runs");
        assert!(status.success(), "the server cannot be built");
        top.join("target/checked/ochre-server")
    })
}

/// Whether the kernel lets us use io_uring; containers often do not.
fn has_io_uring() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| {
        let folder = Folder::new();
        match launch(&folder, "--io-backend io_uring --threads 1") {
            Ok((mut child, ..)) => child.kill().and_then(|()| child.wait()).is_ok(),
            Err(log) => {
                eprintln!("io_uring is not tested, because this system refuses it: {log}");
                false
            }
        }
    })
}

/// A folder that is removed with its contents.
pub struct Folder {
    pub path: PathBuf,
}

impl Folder {
    #[expect(clippy::new_without_default, reason = "a folder is made, not defaulted")]
    pub fn new() -> Folder {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("ochre-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("the folder for temporary files can be written");
        Folder { path }
    }

    /// Writes a file and gives its path.
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.path.join(name);
        std::fs::write(&path, text).expect("the folder can be written");
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays behind lies among temporary files.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// A port that nobody listens on, outside of the range from which the system takes ports of outgoing connections.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let offset = (std::process::id() as u16).wrapping_mul(97).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 20_000 + offset % 10_000;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Lines of a server's log.
type Log = Arc<Mutex<Vec<String>>>;

/// A running server.
pub struct Server {
    child: Child,
    log: Log,
    pub port: u16,
    pub folder: Folder,
    pub arguments: String,
}

impl Server {
    /// Starts a server with these arguments, split at spaces; a path in them may begin with `{folder}`, and the first of them
    /// may be a config file.
    pub fn start(arguments: &str) -> Server {
        let without = arguments.replace("--io-backend io_uring", "--io-backend epoll");
        let arguments = if arguments != without && !has_io_uring() { &without } else { arguments };
        let folder = Folder::new();
        // The port was free a moment ago; somebody else may have been quicker.
        for _ in 0..10 {
            match launch(&folder, arguments) {
                Ok((child, log, port)) => {
                    let server = Server { child, log, port, folder, arguments: arguments.to_owned() };
                    eprintln!("--- {arguments}");
                    return server;
                }
                Err(log) if log.contains("in use") => {}
                Err(log) => panic!("the server does not start with {arguments}:\n{log}"),
            }
        }
        panic!("ten ports were taken, one after the other");
    }

    /// The address of its port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// A new connection that speaks RESP2.
    pub fn client(&self) -> Client {
        Client::connect(&self.url()).expect("the server accepts connections")
    }

    /// A new connection that speaks RESP3.
    pub fn client_of_resp3(&self) -> Client {
        Client::connect(&format!("{}?protocol=resp3", self.url())).expect("the server accepts connections")
    }

    /// A new connection without a client library.
    pub fn raw(&self) -> Raw {
        Raw::connect(&self.address())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that it has logged.
    pub fn log(&self) -> String {
        self.log.lock().expect("no reader panicked").join("\n")
    }

    pub fn wait_for_log(&self, text: &str) {
        eventually(&format!("a line with '{text}' in the log"), || self.log().contains(text));
    }

    /// Sends a signal, by its name without SIG.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status();
        assert!(status.is_ok_and(|status| status.success()), "the server is there to get SIG{name}");
    }

    /// Waits until it ends.
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the end of the server", || {
            status = self.child.try_wait().expect("the server is our child");
            status.is_some()
        });
        status.expect("it has ended")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let log = self.log();
        if std::thread::panicking() {
            eprintln!("the log of the server with {}:\n{log}", self.arguments);
        } else {
            // A panic inside a command is answered and survived; here it is a failure all the same.
            assert!(!log.contains("panicked"), "a command panicked with {}:\n{log}", self.arguments);
        }
    }
}

/// Starts the program and waits until it is ready; the error is its log.
fn launch(folder: &Folder, arguments: &str) -> Result<(Child, Log, u16), String> {
    let port = free_port();
    let mut command = Command::new(program());
    // A config file comes first; what a test says besides comes last and wins.
    let (file, arguments) = match arguments.split_once(' ').unwrap_or((arguments, "")) {
        (file, rest) if file.ends_with(".conf") => (Some(file), rest),
        _ => (None, arguments),
    };
    command.args(file);
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"]).arg(&folder.path);
    command.args(["--enable-debug-command", "yes"]);
    let path = folder.path.display().to_string();
    command.args(arguments.split_whitespace().map(|word| word.replace("{folder}", &path)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program().display()));
    let log = Log::default();
    let stdout = child.stdout.take().expect("stdout is a pipe");
    let stderr = child.stderr.take().expect("stderr is a pipe");
    collect(stdout, Arc::clone(&log));
    collect(stderr, Arc::clone(&log));
    let mut ended = None;
    eventually("the server is ready or has ended", || {
        ended = child.try_wait().expect("the server is our child");
        ended.is_some() || log.lock().expect("no reader panicked").iter().any(|line| line.contains("Ready to accept"))
    });
    match ended {
        None => Ok((child, log, port)),
        Some(status) => {
            let lines = log.lock().expect("no reader panicked").join("\n");
            Err(format!("{lines}\n{status}"))
        }
    }
}

/// Collects the lines of a pipe until it closes.
fn collect(pipe: impl std::io::Read + Send + 'static, log: Log) {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            log.lock().expect("no reader panicked").push(String::from_utf8_lossy(&line).into_owned());
        }
    });
}

/// Runs the program until it ends by itself; its exit code and all that it printed.
pub fn run_to_the_end(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(program()).args(arguments).stdin(Stdio::null()).output().expect("the program runs");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), text)
}
