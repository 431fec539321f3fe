"""The parser for the pages of one target: of its format, and by what its job wants of them."""

from __future__ import annotations

from zseval.exposition.created import CreatedParser
from zseval.exposition.delta import DeltaParser
from zseval.exposition.negotiate import Format
from zseval.exposition.nhcb import NhcbParser
from zseval.exposition.options import PageOptions
from zseval.exposition.page import PageParser

__all__ = ["page_parser"]


def page_parser(format: Format, options: PageOptions) -> PageParser:  # noqa: A002 - the word for it
    """Raises ScrapeError where reading the format needs a package that is missing."""
    if format is Format.PROTOBUF:
        from zseval.exposition.protobuf import ProtobufParser  # protobuf is loaded where a target speaks it

        return ProtobufParser(options)
    has_starts = options.starts and format is Format.OPENMETRICS
    parser: PageParser = DeltaParser(format, marks=has_starts or options.nhcb, describe=options.describe)
    if has_starts:
        parser = CreatedParser(parser)
    if options.nhcb:
        parser = NhcbParser(parser, options.limits, keep_classic=options.classic_histograms)
    return parser
