"""Workers that are threads of one process, to test what they tell others."""

import threading

from kerasbackup.workers.workers import Workers


class _Table:
    """Where the rows of all workers come together."""

    def __init__(self, count):
        self.barrier = threading.Barrier(count, timeout=60)
        self.rows = [None] * count
        self.times = 0


class FakeWorkers(Workers):
    """One of several threads."""

    def __init__(self, index, table):
        super().__init__(index, len(table.rows))
        self._table = table

    def gather(self, row):
        table = self._table
        table.rows[self.index] = row
        if table.barrier.wait() == 0:
            table.times += 1
        rows = [*table.rows]
        table.barrier.wait()
        return rows


def run(count, work):
    """Lets each of so many workers do something.

    Args:
        count: Integer.
        work: Callable that is given a `FakeWorkers`.

    Returns:
        For each worker what it returned, or the exception that it raised; and
        how many times rows crossed.
    """
    table = _Table(count)
    results = [None] * count

    def begin(index):
        try:
            results[index] = work(FakeWorkers(index, table))
        except Exception as e:
            results[index] = e

    threads = [
        threading.Thread(target=begin, args=(index,)) for index in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results, table.times
