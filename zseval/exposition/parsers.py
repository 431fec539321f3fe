"""The parser for the pages of one target: of its format, and by what its job wants of them.

What few jobs want is loaded for the first of them.
"""

from __future__ import annotations

from zseval.exposition.delta import DeltaParser
from zseval.exposition.negotiate import Format
from zseval.exposition.options import PageOptions
from zseval.exposition.page import PageParser

__all__ = ["page_parser"]


def page_parser(format: Format, options: PageOptions) -> PageParser:  # noqa: A002 - the word for it
    """Raises ScrapeError where reading the format needs a package that is missing."""
    if format is Format.PROTOBUF:
        from zseval.exposition.protobuf import ProtobufParser

        return ProtobufParser(options)
    has_starts = options.starts and format is Format.OPENMETRICS
    parser: PageParser = DeltaParser(format, marks=has_starts or options.nhcb, describe=options.describe)
    if has_starts:
        from zseval.exposition.created import CreatedParser

        parser = CreatedParser(parser)
    if options.nhcb:
        from zseval.exposition.nhcb import NhcbParser

        parser = NhcbParser(parser, options.limits, keep_classic=options.classic_histograms)
    return parser
