"""A small container engine: executes the steps of a Dockerfile and the services of compose files as they are written.

Layers are overlay file systems on this machine's own. Containers are processes in them, each with a network namespace
of its own, as the image's user, and with nothing in the environment but what the files say. That needs root on Linux.
Not emulated are limits of memory and CPU, GPUs, restarts and image registries.
"""

import ctypes
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.containers.compose import expand

# What pip installs outside an environment is in the last of these folders, which in the official image is the first.
PATH = f"/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin:{sys.base_prefix}/bin"
NETWORK = "10.200.0"


@dataclass(frozen=True)
class Image:
    """The result of a stage: its layers, uppermost first, and its settings."""

    layers: tuple[Path, ...] = ()
    env: dict[str, str] = field(default_factory=lambda: {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8"})
    user: int = 0
    workdir: str = "/"
    command: tuple[str, ...] = ()
    health: tuple[str, ...] = ()


def stages(dockerfile):
    """Return (name, parent, [(keyword, rest), …]) of every stage; continued lines are joined."""
    found = []
    text = re.sub(r"^\s*#.*\n", "", dockerfile.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    for line in filter(None, map(str.strip, text.splitlines())):
        keyword, _, rest = line.partition(" ")
        if keyword == "FROM":
            parent, _, name = rest.partition(" AS ")
            found.append((name, parent, []))
        else:
            found[-1][2].append((keyword, rest.strip()))
    return found


def words(text):
    """Return the arguments of CMD: a JSON list, or a line for the shell."""
    return tuple(json.loads(text)) if text.startswith("[") else ("sh", "-c", text)


class Engine:
    """Builds images and runs containers below a folder, which is a file system of its own (overlays need that)."""

    def __init__(self, folder, context):
        self.folder, self.context = folder, context
        self.images: dict[str, Image] = {}
        self.roots: dict[str, tuple[Path, Image, dict[str, str]]] = {}
        self.containers: dict[str, subprocess.Popen] = {}
        self.addresses: dict[str, str] = {}
        self.stage = ""
        self.replaced: dict[str, str] = {}  # commands to execute in place of those that a pattern matches
        self.shared: list[Path] = []
        run("mount", "-t", "tmpfs", "tmpfs", folder)

    # Building

    def build(self, dockerfile, target):
        """Execute the stages of a Dockerfile up to a target; return its image."""
        for name, parent, steps in stages(dockerfile):
            if name not in self.images:
                image, self.stage = self.images.get(parent) or self._base(), name
                for keyword, rest in steps:
                    image = getattr(self, f"_do_{keyword.lower()}")(image, rest)
                self.images[name] = image
            if name == target:
                break
        return self.images[target]

    def _base(self):
        """Return the base image: this machine, with its Python where the official image has it."""
        with self._writing(Image()) as (image, root):
            (root / "root").chmod(0o755)  # the Python may be there
            for name in ("python", "python3", "pip"):
                link = root / "usr/local/bin" / name
                link.unlink(missing_ok=True)
                source = Path(sys.base_prefix) / "bin" / ("pip" if name == "pip" else "python3")
                link.write_text(f'#!/bin/sh\nexec {source} "$@"\n')  # venv would take a link's folder for Python's
                link.chmod(0o755)
            for path in ("opt/venv", "opt/inclinet", "build"):
                shutil.rmtree(root / path, ignore_errors=True)
        return image

    def _new_layer(self):
        layer = self.folder / f"layer{len(list(self.folder.glob('layer*')))}"
        layer.mkdir()
        return layer

    def _mount(self, image, layer):
        """Mount an image under a layer that takes what is written; return the root folder."""
        number = len(list(self.folder.glob("root*")))
        root, work = self.folder / f"root{number}", self.folder / f"work{number}"
        root.mkdir()
        work.mkdir()
        lower = ":".join(map(str, [*image.layers, "/"]))
        run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={lower},upperdir={layer},workdir={work}", root)
        for kernel in ("proc", "dev", "sys"):
            run("mount", "--rbind", f"/{kernel}", root / kernel)
        for folder in self.shared:
            target = root / folder.relative_to("/")
            target.mkdir(parents=True, exist_ok=True)
            run("mount", "--bind", folder, target)
        run("mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", root / "tmp")
        return root

    @contextmanager
    def _writing(self, image):
        """Give an image with one more layer, and its root folder while the block writes to it."""
        layer = self._new_layer()
        root = self._mount(image, layer)
        try:
            yield replace(image, layers=(layer, *image.layers)), root
        finally:
            run("umount", "--lazy", root)  # with all that is mounted below

    def _do_env(self, image, rest):
        pairs = [word.partition("=") for word in shlex.split(rest)]
        given = {name: expand(value, image.env) for name, _, value in pairs}
        return replace(image, env=image.env | given)

    def _do_workdir(self, image, rest):
        with self._writing(image) as (image, root):
            (root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        return replace(image, workdir=rest)

    def _do_user(self, image, rest):
        passwd = next(path for layer in image.layers if (path := layer / "etc/passwd").exists()).read_text()
        home = next(line.split(":")[5] for line in passwd.splitlines() if line.split(":")[2] == rest)
        return replace(image, user=int(rest), env=image.env | {"HOME": home})

    def _do_cmd(self, image, rest):
        return replace(image, command=words(rest))

    def _do_healthcheck(self, image, rest):
        return replace(image, health=words(rest.partition("CMD")[2].strip()))

    def _do_copy(self, image, rest):
        *sources, target = [word for word in rest.split() if not word.startswith("--")]
        option = re.match(r"--from=(\S+)", rest)
        with self._writing(image) as (image, root):
            inside = root / str(Path(image.workdir) / target).lstrip("/")
            if not option:
                _copy([self.context / source for source in sources], inside, target)
                return image
            with self._writing(self.images[option[1]]) as (_, other):
                _copy([other / source.lstrip("/") for source in sources], inside, target)
        return image

    def _do_run(self, image, rest):
        step = f"{self.stage}: {rest}"
        command = next((new for pattern, new in self.replaced.items() if re.match(pattern, step)), rest)
        print(f"{self.stage}: RUN {command}", flush=True)
        environment = image.env | {name: os.environ[name] for name in _BUILD_ARGUMENTS if name in os.environ}
        with self._writing(image) as (image, root):
            run(*enter(root, image), "sh", "-c", command, env=environment)
        return image

    # Running

    def network(self, names):
        """Give each of these containers an address, and make all names known to all of them."""
        ctypes.CDLL(None).unshare(_NEW_NETWORK)
        run("mount", "-t", "tmpfs", "tmpfs", "/run")  # where the names of network namespaces are
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "bridge", "type", "bridge")
        run("ip", "address", "add", f"{NETWORK}.1/24", "dev", "bridge")
        run("ip", "link", "set", "bridge", "up")
        for number, name in enumerate(names, 2):
            self.addresses[name] = f"{NETWORK}.{number}"
            outside, inside = f"veth{number}", f"inner{number}"
            run("ip", "netns", "add", name)
            run("ip", "link", "add", outside, "type", "veth", "peer", "name", inside, "netns", name)
            run("ip", "link", "set", outside, "up", "master", "bridge")
            run("ip", "-n", name, "address", "add", f"{NETWORK}.{number}/24", "dev", inside)
            run("ip", "-n", name, "link", "set", inside, "up")
            run("ip", "-n", name, "link", "set", "lo", "up")

    def start(self, name, image, service, volumes):
        """Start a container of a service; `volumes` are folders by their name."""
        environment = image.env | (service.get("environment") or {})
        command = service.get("command") or image.command
        root = self._mount(image, self._new_layer())
        hosts = "".join(f"{address} {host}\n" for host, address in self.addresses.items())
        (root / "etc/hosts").write_text(f"127.0.0.1 localhost\n{hosts}")
        for volume in service.get("volumes", ()):
            source, target, *options = volume.split(":")
            folder, inside = volumes[source], root / target.lstrip("/")
            if not inside.exists():
                inside.mkdir(parents=True)
            # A new volume gets the owner of the folder that it is mounted on.
            if not any(folder.iterdir()) and "ro" not in options:
                shutil.chown(folder, inside.stat().st_uid, inside.stat().st_gid)
            run("mount", "--bind", *(["-o", "ro"] if "ro" in options else []), folder, inside)
        log = (self.folder / f"{name}.log").open("w")
        # Its own process group, so that its processes end with it.
        self.containers[name] = subprocess.Popen(
            ["ip", "netns", "exec", name, *enter(root, image), *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        self.roots[name] = (root, image, environment)

    def run(self, name, *command, check=True, **environment):
        """Run a command in a container, as its user; return what it printed."""
        root, image, own = self.roots[name]
        done = subprocess.run(
            ["ip", "netns", "exec", name, *enter(root, image), *command],
            env=own | environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        if check and done.returncode:
            raise SystemExit(f"{name}: {' '.join(command)}\n{done.stdout}{done.stderr}\n{self.tail(name)}")
        return done.stdout + done.stderr

    def wait_healthy(self, name, test, seconds=180):
        """Wait until a container's health check passes."""
        deadline = time.monotonic() + seconds
        while True:
            root, image, own = self.roots[name]
            command = ["ip", "netns", "exec", name, *enter(root, image), *test]
            if subprocess.run(command, env=own, capture_output=True).returncode == 0:
                return
            if self.containers[name].poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{name} is not healthy\n{self.tail(name)}")
            time.sleep(1)

    def wait_ended(self, name, seconds=300):
        """Wait until a container has completed."""
        if self.containers[name].wait(seconds):
            raise SystemExit("\n".join(f"{one}:\n{self.tail(one)}" for one in self.containers))

    def tail(self, name):
        """Return the end of a container's log."""
        return "\n".join((self.folder / f"{name}.log").read_text(errors="replace").splitlines()[-30:])

    def stop(self):
        """Stop all containers, the last one first."""
        for process in reversed(self.containers.values()):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)


_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_BUILD_ARGUMENTS = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "PIP_CERT",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
)
_CACHES = shutil.ignore_patterns("__pycache__", ".venv")


def _copy(sources, inside, target):
    """Copy files, and the content of folders."""
    for source in sources:
        if source.is_dir():
            shutil.copytree(source, inside, symlinks=True, dirs_exist_ok=True, ignore=_CACHES)
        else:
            shutil.copy(source, inside / source.name if len(sources) > 1 or target.endswith("/") else inside)


def enter(root, image):
    """Return the command line that enters a root folder as the image's user."""
    home = f'cd "{image.workdir}" && exec "$@"'
    user = ["setpriv", f"--reuid={image.user}", f"--regid={image.user}", "--clear-groups", "--no-new-privs"]
    return ["chroot", str(root), *(user if image.user else ()), "sh", "-c", home, "sh"]


def run(*command, **options):
    """Run a command; end with its output if it fails."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
