#!/usr/bin/env python3
"""Databases of other versions than the system's, installed beside it: for tests, and to look at by hand.

    scripts/other_databases.py mysql-8.0                             start it, print its URL, stop it at Ctrl-C
    scripts/other_databases.py postgres-16 -- pytest osiris-postgres/tests
    scripts/other_databases.py mysql-9 --install-only                print the directory of its programs
    scripts/other_databases.py --list                                the names to choose from

A command finds the server's programs first on ``PATH``, so that every server which tests start is of this version:
each worker's own, and those that are killed, filled and restarted. Its exit status is passed on. The URL of a server
that is only started goes into ``OSIRIS_TEST_MYSQL_URL`` or ``OSIRIS_TEST_POSTGRES_URL``, for tests without ``-n``:
some change the server's settings for a while.

The packages are Debian's and Ubuntu's, downloaded with apt, checked by their archives' keys and unpacked (no package's
script runs) into ``~/.cache/osiris-databases`` (root's: ``/var/cache/…``); a second call uses what is there. A program
sees that directory in place of ``/usr``, in a mount namespace of its own. Needs apt-get and user namespaces, not root.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import shutil
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Archive:
    """Where packages come from, and the package of the keys that sign them: its path there and its SHA-256."""

    url: str
    updates: bool
    keyring: str
    keyring_package: str
    keyring_sha256: str


@dataclass(frozen=True)
class Product:
    """What a server is called in tests, and which programs it is run by."""

    variable: str
    programs: tuple[str, ...]


@dataclass(frozen=True)
class Release:
    """A server's packages, in the release of a distribution that has this version; ``suite`` may name two."""

    product: Product
    archive: Archive
    suite: str
    packages: tuple[str, ...]


DEBIAN = Archive(
    "http://deb.debian.org/debian",
    updates=False,
    keyring="debian-archive-keyring.gpg",
    keyring_package="pool/main/d/debian-archive-keyring/debian-archive-keyring_2023.3+deb12u2_all.deb",
    keyring_sha256="f699e2f88dca05212f2a452b58475f2993cb6993dfbafb1d0205a3291eb8b4b8",
)
UBUNTU = Archive(
    "http://archive.ubuntu.com/ubuntu",
    updates=True,
    keyring="ubuntu-archive-keyring.gpg",
    keyring_package="pool/main/u/ubuntu-keyring/ubuntu-keyring_2021.03.26_all.deb",
    keyring_sha256="0d0e7ed6b112f5d03eabf3c7eb01ebdacf9c57714b279e90495cfc58c8c4520f",
)
MYSQL = Product("OSIRIS_TEST_MYSQL_URL", ("mysqld",))
MARIADB = Product("OSIRIS_TEST_MYSQL_URL", ("mariadbd", "mariadb-install-db"))
POSTGRES = Product("OSIRIS_TEST_POSTGRES_URL", ("initdb", "postgres"))
RELEASES = {
    "mysql-8.0": Release(MYSQL, UBUNTU, "jammy", ("mysql-server-core-8.0",)),
    "mysql-8.4": Release(MYSQL, UBUNTU, "resolute", ("mysql-server-core",)),
    "mysql-9": Release(MYSQL, DEBIAN, "sid", ("mysql-server-core",)),
    "mariadb-10.6": Release(MARIADB, UBUNTU, "jammy", ("mariadb-server-core-10.6", "mariadb-client-core-10.6")),
    "mariadb-11.8": Release(MARIADB, UBUNTU, "resolute", ("mariadb-server-core", "mariadb-client-core")),
    # The util-linux of jammy, too: that of focal cannot name the user of a namespace.
    "postgres-12": Release(POSTGRES, UBUNTU, "focal jammy", ("postgresql-12",)),
    "postgres-14": Release(POSTGRES, UBUNTU, "jammy", ("postgresql-14",)),
    "postgres-16": Release(POSTGRES, UBUNTU, "noble", ("postgresql-16",)),
    "postgres-18": Release(POSTGRES, UBUNTU, "resolute", ("postgresql-18",)),
}
#: What set-up programs call and packages take for granted.
COMMON = ("coreutils", "dash", "grep", "hostname", "mount", "sed", "tzdata", "util-linux")
#: Where the programs are, below the unpacked ``usr``.
FOLDERS = ("sbin", "bin", "lib/postgresql/*/bin")
WRAPPER = """\
#!/bin/sh
# {program} of {name}. It may not be root, so in a second namespace it is what it was outside, or nobody.
exec unshare --map-root-user --mount /bin/sh -c '
  usr=$1 user=$2 group=$3; shift 3
  mount --bind "$usr" /usr &&
  exec unshare --user --map-user="$user" --map-group="$group" {path} "$@"
' sh {usr} "$(id -u | sed s/^0$/65534/)" "$(id -g | sed s/^0$/65534/)" "$@"
"""


class SetupError(Exception):
    """The server cannot be had here; the message says what to do."""


def main(arguments: Sequence[str]) -> int:
    """Install one server; run a command that uses its programs, or start it and wait."""
    options = parse(arguments)
    try:
        programs = install(options.name, options.directory.expanduser().resolve())
    except SetupError as error:
        sys.stderr.write(f"other_databases: {error}\n")
        return 1
    if options.install_only:
        sys.stdout.write(f"{programs}\n")
        return 0
    os.environ["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
    product = RELEASES[options.name].product
    if options.command:
        os.environ.pop(product.variable, None)
        return subprocess.run(options.command, check=False).returncode
    with start(product) as server:
        sys.stdout.write(f"{product.variable}='{server.url}'\n")
        sys.stdout.flush()
        try:
            while True:
                time.sleep(60)
        except KeyboardInterrupt:
            return 0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        usage="%(prog)s [--directory DIRECTORY] [--install-only] name [-- command …]",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=RELEASES)
    # Root's home is closed to the users whom root runs servers as.
    cache = Path("/var/cache" if os.geteuid() == 0 else "~/.cache", "osiris-databases")
    parser.add_argument("--directory", type=Path, default=cache, help=f"where they are unpacked, {cache}")
    parser.add_argument("--list", action="version", version="\n".join(RELEASES), help="print the names, and end")
    parser.add_argument("--install-only", action="store_true", help="print the directory of its programs, and end")
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = parser.parse_args(arguments[:end])
    options.command = arguments[end + 1 :]
    return options


def start(product: Product) -> AbstractContextManager[Any]:
    """The server that the tests would start: on a free loopback port, with an account, gone with this process."""
    from osiris_core.testing.servers import mysql_server, postgres_server

    return postgres_server() if product is POSTGRES else mysql_server()


def install(name: str, directory: Path) -> Path:
    """Unpack a server below ``directory`` unless it is there; return the directory of its programs.

    Raises SetupError when something that this needs is missing, or packages cannot be had.
    """
    home = directory / name
    check_host(home)
    if home.is_dir():
        return home / "bin"
    release, partial = RELEASES[name], directory / f".{name}.{os.getpid()}"
    try:
        sys.stderr.write(f"other_databases: installing {name} into {home}\n")
        for part in ("apt", "root/usr", "bin"):
            (partial / part).mkdir(parents=True)
        unpack(download(release, partial / "apt"), partial / "root")
        shutil.rmtree(partial / "apt")
        for program in release.product.programs:
            wrap(program, name, partial, home)
        partial.rename(home)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return home / "bin"


def check_host(home: Path) -> None:
    """Raise SetupError unless the programs could be downloaded and run here."""
    for program in ("apt-get", "dpkg-deb", "unshare"):
        if not shutil.which(program):
            raise SetupError(f"{program} is not here: on other systems than Debian and Ubuntu use docker compose up -d")
    if not Path("/bin").is_symlink():
        raise SetupError("/bin is not /usr/bin here (a merged /usr is needed): use docker compose up -d")
    if run("unshare", "--map-root-user", "--mount", "true").returncode:
        raise SetupError(
            "user namespaces are not allowed here (unshare --map-root-user --mount true fails). Allow them: "
            "sysctl kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu; --privileged for a container"
        )
    closed = [path for path in home.parents if path.is_dir() and not path.stat().st_mode & 0o001]
    if os.geteuid() == 0 and closed:  # the server itself runs as an unprivileged user
        raise SetupError(f"{closed[0]} is closed to other users, as one of whom the server runs: name a --directory")


def download(release: Release, apt: Path) -> list[Path]:
    """The packages of a server with all that they depend on, in a directory of their own."""
    for part in ("lists/partial", "archives/partial", "empty/apt.conf.d", "empty/preferences.d"):
        (apt / part).mkdir(parents=True)
    (apt / "status").touch()
    signed, url = keyring(release.archive, apt), release.archive.url
    suites = release.suite.split()
    if release.archive.updates:
        suites += [f"{suite}-updates" for suite in suites]
    components = "main universe" if release.archive is UBUNTU else "main"
    (apt / "sources.list").write_text("".join(f"deb {url} {s} {components}\n" for s in suites))
    (apt / "apt.conf").write_text(
        f'Dir::State "{apt}"; Dir::State::lists "{apt}/lists"; Dir::State::status "{apt}/status";\n'
        f'Dir::Cache "{apt}"; Dir::Cache::archives "{apt}/archives";\n'
        f'Dir::Etc "{apt}/empty"; Dir::Etc::trusted "{signed}"; Dir::Etc::sourcelist "{apt}/sources.list";\n'
        'APT::Sandbox::User "root"; APT::Install-Recommends "false"; Acquire::Retries "3"; Acquire::Languages "none";\n'
        'Acquire::Check-Valid-Until "false";\n'  # a mirror that lags is as good
    )
    for command in (["update"], ["install", "--yes", "--download-only", *release.packages, *COMMON]):
        done = run("apt-get", "--quiet", *command, APT_CONFIG=str(apt / "apt.conf"))
        if done.returncode or "\nW: Failed" in f"\n{done.stderr}":
            raise SetupError(f"apt-get {command[0]} for {url} {release.suite} failed:\n{done.stderr.strip()}")
    return sorted((apt / "archives").glob("*.deb"))


def keyring(archive: Archive, apt: Path) -> Path:
    """The keys of an archive: the system's own copy, or one from the archive whose content is known beforehand."""
    found = Path("/usr/share/keyrings", archive.keyring)
    if found.exists():
        return found
    package, url = apt / "keyring.deb", f"{archive.url}/{archive.keyring_package}"
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - the address is one of ours
            package.write_bytes(answer.read())
    except (urllib.error.URLError, TimeoutError) as error:
        raise SetupError(f"cannot read {url}: {error}") from error
    if hashlib.sha256(package.read_bytes()).hexdigest() != archive.keyring_sha256:
        raise SetupError(f"{url} is not the package that is expected there")
    unpack([package], apt / "keys")
    return apt / "keys" / "usr/share/keyrings" / archive.keyring


def unpack(packages: Sequence[Path], root: Path) -> None:
    """The files of packages, in a tree where ``/bin`` and ``/lib`` are links into ``/usr``."""
    for link in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / link).mkdir(parents=True, exist_ok=True)
        (root / link).symlink_to(f"usr/{link}")
    for package in packages:
        tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE, check=True).stdout
        options = [
            "--keep-directory-symlink",
            "--no-same-owner",
            "--exclude=./usr/share/doc",
            "--exclude=./usr/share/man",
        ]
        subprocess.run(["tar", "-x", *options, "-C", root], input=tar, check=True)
    take_powers(root)


def take_powers(root: Path) -> None:
    """Leave no program that runs as its owner: unpacked by root, an old ``su`` would be root's for every user here."""
    for folder, _, names in os.walk(root):
        for path in (Path(folder, name) for name in names):
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
                path.chmod(stat.S_IMODE(mode) & 0o777)


def wrap(program: str, name: str, partial: Path, home: Path) -> None:
    """A script that runs an unpacked program, with what it was linked against."""
    usr = partial / "root" / "usr"
    found = [path for folder in FOLDERS for path in usr.glob(f"{folder}/{program}")]
    if not found:
        raise SetupError(f"{', '.join(RELEASES[name].packages)} of {RELEASES[name].suite} has no program {program}")
    script = partial / "bin" / program
    path = Path("/usr") / found[0].relative_to(usr)
    here = shlex.quote(str(home / "root" / "usr"))
    script.write_text(WRAPPER.format(program=program, name=name, usr=here, path=path))
    script.chmod(0o755)


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "LC_ALL": "C.UTF-8", **environment}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
