"""A loss curve that stays small however long the run is."""

from bisect import bisect_right

Point = tuple[int, float, float]
"""Step, loss and learning rate."""


class Curve:
    """Points by step. When there are too many, every other one goes, so that the rest stays evenly spread.

    The newest point is always there. Not safe for threads by itself.
    """

    def __init__(self, limit: int = 1000) -> None:
        self._limit = limit
        self._stride = 1
        self._points: list[Point] = []
        self._newest: Point | None = None

    def add(self, point: Point) -> None:
        """Append a point; its step must be above those before."""
        self._newest = point
        if point[0] % self._stride:
            return
        self._points.append(point)
        if len(self._points) >= self._limit:
            self._stride *= 2
            self._points = [kept for kept in self._points if kept[0] % self._stride == 0]

    def after(self, step: int) -> list[Point]:
        """The points with steps above ``step``, at most ``limit`` of them."""
        points = self._points[bisect_right(self._points, step, key=lambda point: point[0]) :]
        newest = self._newest
        if newest is not None and newest[0] > step and (not points or points[-1][0] < newest[0]):
            points.append(newest)
        return points
