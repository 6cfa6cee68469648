"""A machine under test, talked to by QMP."""

import json
import pathlib
import queue
import socket
import subprocess
import tempfile
import threading
import time


class Error(Exception):
    """An error answer: its class and text."""

    def __init__(self, error):
        super().__init__(f"{error['class']}: {error['desc']}")
        self.kind, self.text = error["class"], error["desc"]


class Client:
    """A connection; events are kept until they are asked for."""

    def __init__(self, path, timeout=60):
        self.timeout = timeout
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        end = time.monotonic() + timeout
        while True:
            try:
                self.socket.connect(str(path))
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
        self.file = self.socket.makefile("rwb")
        self.events = []
        self.greeting = self.read()

    def read(self):
        line = self.file.readline()
        if not line:
            raise EOFError("the monitor has closed the connection")
        return json.loads(line)

    def send(self, raw):
        self.file.write(raw)
        self.file.flush()

    def answer(self):
        while "event" in (message := self.read()):
            self.events.append(message)
        return message

    def command(self, name, arguments=None):
        message = {"execute": name}
        if arguments is not None:
            message["arguments"] = arguments
        self.send(json.dumps(message).encode() + b"\n")
        answer = self.answer()
        if "error" in answer:
            raise Error(answer["error"])
        return answer["return"]

    def event(self, name, timeout=None):
        """The next event of the name; others in front of it are dropped."""
        self.socket.settimeout(timeout or self.timeout)
        try:
            while True:
                e = self.events.pop(0) if self.events else self.read()
                if e.get("event") == name:
                    return e
        finally:
            self.socket.settimeout(self.timeout)

    def close(self):
        self.file.close()
        self.socket.close()


class Machine:
    """A running metic-system whose serial line is a socket, too."""

    def __init__(self, program, *options, negotiate=True):
        self.folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(self.folder.name)
        self.process = subprocess.Popen(
            [program, *map(str, options), "-display", "none", "-monitor", "none", "-qmp", f"unix:{folder}/qmp,server=on,wait=off",
             "-serial", f"unix:{folder}/serial,server=on,wait=off"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            restore_signals=False)  # with SIGXFSZ ignored a file that may not grow is an error
        self.output = b""
        try:
            self.qmp = Client(folder / "qmp")
        except OSError:
            self.process.kill()
            raise RuntimeError(self.process.communicate()[1].decode())
        self.lines = queue.Queue()
        self.serial = socket.socket(socket.AF_UNIX)
        self.serial.connect(str(folder / "serial"))
        threading.Thread(target=self.listen, daemon=True).start()
        self.command, self.event = self.qmp.command, self.qmp.event
        if negotiate:
            self.command("qmp_capabilities")

    def listen(self):
        try:
            while data := self.serial.recv(4096):
                self.lines.put(data)
        except OSError:
            pass

    def wait_for(self, text, timeout=120):
        """Waits until the serial line has said the text; returns what came up to it."""
        end = time.monotonic() + timeout
        while (at := self.output.find(text.encode())) < 0:
            try:
                self.output += self.lines.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"{text!r} does not come; so far:\n{self.output.decode(errors='replace')}") from None
        said, self.output = self.output[:at], self.output[at + len(text):]
        return said.decode(errors="replace")

    def type(self, text):
        self.serial.sendall(text.encode())

    def end(self, timeout=60):
        """The exit code, and what was said on stderr."""
        _, errors = self.process.communicate(timeout=timeout)
        return self.process.returncode, errors.decode(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, kind, *exception):
        if self.process.poll() is None:
            if kind and issubclass(kind, OSError):
                self.process.wait(10)
            self.process.kill()
        errors = self.process.communicate()[1]
        if kind:
            print(f"exit code {self.process.returncode}", errors.decode(errors="replace"))
        self.qmp.close()
        self.serial.close()
        self.folder.cleanup()
