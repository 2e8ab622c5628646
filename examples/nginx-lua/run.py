"""Starts nginx with the configuration beside this file, in the foreground."""

import os
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
MODULES = os.environ.get("NGINX_MODULES", "/usr/lib/nginx/modules")


def main():
    scratch = pathlib.Path(os.environ.get("SCRATCH") or tempfile.mkdtemp())
    text = (HERE / "nginx.conf.in").read_text()
    places = {"MODULES": MODULES, "SCRATCH": scratch, "HERE": HERE, "PORT": os.environ.get("PORT", "8080")}
    for name, place in places.items():
        text = text.replace(f"@{name}@", str(place))
    (scratch / "nginx.conf").write_text(text)
    os.environ.setdefault("OCHRE_PORT", "6379")
    os.execvp("nginx", ["nginx", "-p", str(scratch), "-e", "stderr", "-c", str(scratch / "nginx.conf")])


if __name__ == "__main__":
    sys.exit(main())
