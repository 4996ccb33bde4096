"""report.html: one self-contained page that tells how good a run is, and why."""

from lenrek.training.report.page import write_report
from lenrek.training.report.record import DataSummary, Mistake, RunRecord

__all__ = ["DataSummary", "Mistake", "RunRecord", "write_report"]
