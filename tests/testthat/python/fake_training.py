"""A training without Keras, and its own clock: so that a second is exact.

A host begins steps, a device does them one after the other. A save makes the
host wait, and a writer then slows the device down.
"""

import random
from collections import deque

from kerasbackup.fit.save_interval import SaveInterval


class FakeTraining:
    """See `run()`."""

    def __init__(self, settings):
        self.settings = settings
        self.now = 0.0
        self.reads = 0
        self.device = 0.0  # when the device will have done what it was given
        self.under_way = deque()
        self.writing = (0.0, 0.0)
        self.saves = []
        self.news = []
        self.waited = 0.0
        self.interval = SaveInterval(
            settings["max_overhead"], self.writing_time, self.settle, self.clock
        )

    def clock(self):
        self.reads += 1
        return self.now

    def writing_time(self):
        begin, end = self.writing
        return None if self.now < end else end - begin

    def settle(self):
        self.now = max(self.now, self.device)
        self.under_way.clear()

    def save(self, step, batch):
        self.interval.begin_save()
        if not self.settings["saves"]:
            self.interval.end_save()
            return
        self.settle()
        self.waited += max(0.0, self.writing[1] - self.now)
        self.now = max(self.now, self.writing[1]) + self.settings["stall"]
        self.writing = (self.now, self.now + self.settings["write"])
        self.interval.end_save()
        self.saves.append((step, batch, self.now))
        news = self.interval.news()
        if news:
            self.news.append(news)

    def work(self, seconds):
        """Gives the device a step that takes so long undisturbed."""
        at = max(self.now, self.device)
        begin, end = self.writing
        slower = 1 + self.settings["slowdown"]
        before = min(seconds, max(0.0, begin - at))
        at += before
        seconds -= before
        beside = min(seconds, max(0.0, end - at) / slower)
        self.device = at + beside * slower + seconds - beside
        self.under_way.append(self.device)

    def step(self, i, batch):
        settings = self.settings
        if self.interval.step():
            self.save(i, batch)
        seconds = settings["step"]
        if settings["change_at"] is not None and i >= settings["change_at"]:
            seconds *= settings["factor"]
        seconds *= random.uniform(1 - settings["noise"], 1 + settings["noise"])
        seconds += settings["extra"].get(i, 0.0)
        if batch == 0:
            seconds += settings["first"]
        self.now += settings["dispatch"]
        self.work(seconds)
        if len(self.under_way) > settings["ahead"]:
            self.now = max(self.now, self.under_way.popleft())

    def train(self):
        settings = self.settings
        for i in range(settings["steps"]):
            batch = i % settings["epoch"]
            self.step(i, batch)
            if batch == settings["epoch"] - 1:
                self.interval.pause()
                self.settle()
                self.now += settings["validation"]
                if self.interval.is_due():
                    self.save(i + 1, settings["epoch"])
                self.now += settings["between"]
        self.settle()


def run(
    steps,
    step,
    stall,
    write=0.0,
    slowdown=0.0,
    epoch=10**9,
    validation=0.0,
    between=0.0,
    first=0.0,
    extra=None,
    change_at=None,
    factor=1.0,
    dispatch=0.0,
    ahead=0,
    noise=0.0,
    max_overhead=0.01,
):
    """Trains.

    Args:
        steps, step: How many, and how many seconds each takes undisturbed.
        stall: Seconds that training waits for a save.
        write: Seconds that it is then written.
        slowdown: By what part steps take longer meanwhile.
        epoch: Steps an epoch.
        validation: Seconds at each epoch's end.
        between: Seconds from there to the next.
        first: Seconds that an epoch's first step takes longer.
        extra: Dict from the number of a step to seconds that it takes longer.
        change_at, factor: From that step on, steps take so many times as long.
        dispatch, ahead: Seconds that the host needs to begin a step, and how
            many steps it begins before it waits for their end.
        noise: By what part steps differ.

    Returns:
        A dict: of every save its `step`, `batch` (at an epoch's end: as many as
        there are) and `time`; `news`; `waited`,
        seconds that saves waited for the writer; `overhead`, the part of the
        time without saves that they cost; `reads` of the clock a step.
    """
    settings = dict(locals())
    settings["extra"] = {int(k): v for k, v in (extra or {}).items()}
    trainings = []
    for saves in (True, False):
        random.seed(1)
        training = FakeTraining({**settings, "saves": saves})
        training.train()
        trainings.append(training)
    with_saves, without = trainings
    columns = list(zip(*with_saves.saves)) or [(), (), ()]
    return {
        "step": list(columns[0]),
        "batch": list(columns[1]),
        "time": list(columns[2]),
        "news": [list(one) for one in with_saves.news],
        "waited": with_saves.waited,
        "overhead": with_saves.now / without.now - 1,
        "reads": with_saves.reads / steps,
    }
