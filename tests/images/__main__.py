"""`python3 -m images build [NAME...]` builds what changed; `push REGISTRY` pushes our own images.

`promtool`, `envoy-gateway`, `keda` and `versitygw` build that program unless it is there, and print
where it is.
"""

import argparse
import sys
from collections.abc import Sequence

from images.build import build_all
from images.catalogue import IMAGES
from images.commands import BuildError
from images.envoy_gateway import build_envoy_gateway
from images.keda import build_keda
from images.prometheus import build_promtool
from images.push import push_all
from images.versitygw import build_versitygw


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.command == "promtool":
            print(build_promtool(_say_aside))
        elif arguments.command == "envoy-gateway":
            print(build_envoy_gateway(_say_aside))
        elif arguments.command == "keda":
            print(build_keda(_say_aside))
        elif arguments.command == "versitygw":
            print(build_versitygw(_say_aside))
        elif arguments.command == "push":
            push_all(arguments.registry, progress=_say)
        else:
            build_all(arguments.names or None, progress=_say)
    except BuildError as error:
        print(f"images: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("images: interrupted; images that were finished are kept", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m images")
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser(
        "build", help="build the images whose sources changed, and write their archives"
    )
    names = ", ".join(image.name for image in IMAGES)
    build.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which images, of {names}; default: all"
    )
    push = commands.add_parser(
        "push",
        help="push operator, onnx, serving and training to a registry; write build/images.yaml",
    )
    push.add_argument("registry", metavar="REGISTRY", help="for example registry.example.com/ml")
    commands.add_parser("promtool", help="build promtool and print its path")
    commands.add_parser("envoy-gateway", help="build Envoy Gateway and print its path")
    commands.add_parser("keda", help="build KEDA and print its path")
    commands.add_parser("versitygw", help="build the S3 server of tests and print its path")
    return parser


def _say(line: str) -> None:
    print(line, flush=True)


def _say_aside(line: str) -> None:
    """Keep standard output for the path, which `make` throws away."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
