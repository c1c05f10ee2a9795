"""Fetches a source archive by pip's own finder and session, and unpacks its modules.

`pip download` cannot: it builds what it downloads, and these packages have no setup.py. pip's finder knows the index
that this machine is configured for, and the hash that the index promises.

Usage: pypi.py NAME VERSION FOLDER    (VERSION may end in `.*`)
"""

import hashlib
import io
import pathlib
import sys
import tarfile

from pip._internal.commands import create_command
from pip._vendor.packaging.specifiers import SpecifierSet

name, version, folder = sys.argv[1:]
command = create_command("download")
with command.main_context():
    options, _ = command.parse_args(["--no-binary", ":all:", name])
    session = command.get_default_session(options)
    finder = command._build_package_finder(options, session)
    found = finder.find_best_candidate(name, SpecifierSet("==" + version)).best_candidate
    if found is None:
        sys.exit(f"the package index has no {name} {version}")
    archive = session.get(found.link.url_without_fragment).content
if found.link.hash is None:
    sys.exit(f"the package index gives no hash for {found.link.filename}")
if hashlib.new(found.link.hash_name, archive).hexdigest() != found.link.hash:
    sys.exit(f"{found.link.filename} is not what the package index promised; try again")

target = pathlib.Path(folder)
with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
    for member in tar.getmembers():
        # NAME-VERSION/umqtt/simple.py -> umqtt/simple.py; nothing else is needed, and nothing may leave the folder.
        parts = pathlib.PurePosixPath(member.name).parts[1:]
        if member.isfile() and parts[:1] == ("umqtt",) and ".." not in parts:
            path = target.joinpath(*parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(tar.extractfile(member).read())
print(found.version)
