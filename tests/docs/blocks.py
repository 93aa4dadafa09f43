"""The code blocks of the README and the docs, as a Markdown parser finds them."""

from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])

_FRAGMENT = "# Fragment: "


@dataclass(frozen=True)
class Block:
    """A block of code, its position, and its language."""

    page: str
    line: int
    language: str
    source: str

    def __str__(self):
        return f"{self.page}:{self.line}"

    @property
    def place(self):
        """The place of a fragment, from its first line; None for a complete program."""
        first = self.source.partition("\n")[0]
        return first.removeprefix(_FRAGMENT) if first.startswith(_FRAGMENT) else None

    def commands(self):
        """The commands of a shell block, without their comments."""
        lines = self.source.replace("\\\n", " ").splitlines()
        if self.language == "console":
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        stripped = (line.partition(" # ")[0].strip() for line in lines)
        return [line for line in stripped if line and not line.startswith("#")]


def _blocks(page):
    for token in MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8")):
        if token.type in ("fence", "code_block"):
            # An indented block can't name its language. In these pages it always has commands.
            language = token.info.strip() if token.type == "fence" else "sh"
            name = page.relative_to(ROOT).as_posix()
            yield Block(name, token.map[0] + 1, language, token.content)


BLOCKS = [block for page in PAGES for block in _blocks(page)]


def table(page, heading):
    """The rows of the first table below a heading of a page, as texts of cells."""
    tokens = iter(MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8")))
    for token in tokens:
        if token.type == "inline" and token.content == heading:
            break
    rows = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows:
            rows[-1].append("".join(child.content for child in token.children))
        elif token.type == "table_close":
            break
    return [tuple(row) for row in rows[1:]]


def blocks(*languages, page=None):
    """The blocks in these languages, of one page or of all."""
    return [
        block
        for block in BLOCKS
        if block.language in languages and (page is None or block.page == page)
    ]
