"""One HTML page about a training. Users call `tools/analysis_tools/make_report.py`."""

__all__: list[str] = []
