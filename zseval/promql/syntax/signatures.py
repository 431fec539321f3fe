"""What the functions and aggregation operators of PromQL take and give, a row each.

Source: promql/parser/functions.go upstream. `variadic` counts how many arguments beyond the listed
ones may be given (-1: any number), or, where it is positive, how many of the last listed may be left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from zseval.promql.syntax.ast import ValueType

__all__ = ["AGGREGATIONS", "EXPERIMENTAL_AGGREGATIONS", "SIGNATURES", "Signature"]

_TYPES = {"v": ValueType.VECTOR, "m": ValueType.MATRIX, "s": ValueType.SCALAR, "t": ValueType.STRING}


@dataclass(frozen=True, slots=True)
class Signature:
    """Argument types, how many of them vary in number, and the result's type."""

    name: str
    args: tuple[ValueType, ...]
    variadic: int = 0
    returns: ValueType = ValueType.VECTOR
    experimental: bool = False

    @property
    def least(self) -> int:
        """How few arguments a call may have."""
        return len(self.args) - (1 if self.variadic else 0)

    @property
    def most(self) -> int | None:
        """How many arguments a call may have; None for any number."""
        if self.variadic == 0:
            return len(self.args)
        return None if self.variadic < 0 else self.least + self.variadic

    def arg_type(self, index: int) -> ValueType:
        """The type of the argument at `index`; the last one listed repeats."""
        return self.args[min(index, len(self.args) - 1)]


def _rows(
    names: str, args: str, *, variadic: int = 0, returns: str = "v", experimental: bool = False
) -> list[Signature]:
    kinds = tuple(_TYPES[letter] for letter in args)
    return [Signature(name, kinds, variadic, _TYPES[returns], experimental) for name in names.split()]


_ALL = [
    *_rows("abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor ln log10 log2 rad", "v"),
    *_rows("sgn sin sinh sqrt tan tanh sort sort_desc timestamp", "v"),
    *_rows("histogram_avg histogram_count histogram_sum histogram_stddev histogram_stdvar", "v"),
    *_rows("absent_over_time avg_over_time changes count_over_time delta deriv first_over_time", "m"),
    *_rows("idelta increase irate last_over_time max_over_time min_over_time present_over_time", "m"),
    *_rows("rate resets stddev_over_time stdvar_over_time sum_over_time", "m"),
    *_rows("mad_over_time ts_of_first_over_time ts_of_last_over_time", "m", experimental=True),
    *_rows("ts_of_max_over_time ts_of_min_over_time", "m", experimental=True),
    *_rows("clamp", "vss"),
    *_rows("clamp_max clamp_min", "vs"),
    *_rows("round", "vs", variadic=1),
    *_rows("days_in_month day_of_month day_of_week day_of_year hour minute month year", "v", variadic=1),
    *_rows("double_exponential_smoothing", "mss", experimental=True),
    *_rows("histogram_fraction", "ssv"),
    *_rows("histogram_quantile", "sv"),
    *_rows("histogram_quantiles", "vtss", variadic=9, experimental=True),
    *_rows("info", "vv", variadic=1, experimental=True),
    *_rows("label_replace", "vtttt"),
    *_rows("label_join", "vttt", variadic=-1),
    *_rows("predict_linear", "ms"),
    *_rows("quantile_over_time", "sm"),
    *_rows("scalar", "v", returns="s"),
    *_rows("sort_by_label sort_by_label_desc", "vt", variadic=-1, experimental=True),
    *_rows("start_timestamp", "v", experimental=True),
    *_rows("vector", "s"),
    *_rows("pi time", "", returns="s"),
    *_rows("start end range step", "", returns="s", experimental=True),
    *_rows("max_of min_of", "ss", returns="s", experimental=True),
]

SIGNATURES: dict[str, Signature] = {signature.name: signature for signature in _ALL}
"""Every function, by name."""

AGGREGATIONS: dict[str, ValueType | None] = {
    **dict.fromkeys(("avg", "count", "group", "max", "min", "stddev", "stdvar", "sum")),
    **dict.fromkeys(("bottomk", "topk", "quantile", "limitk", "limit_ratio"), ValueType.SCALAR),
    "count_values": ValueType.STRING,
}
"""Every aggregation operator, with the type of its parameter, if it takes one."""

EXPERIMENTAL_AGGREGATIONS = frozenset({"limitk", "limit_ratio"})
