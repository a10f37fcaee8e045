"""Which versions are held against which, and what came of it."""

import concurrent.futures
import dataclasses
import functools
import itertools
import multiprocessing
import os
import signal
import threading

import recorded
from rnn_parity import cases, ladder, sections
from rnn_parity.config import DTYPES
from rnn_parity.contract import Forward, Training
from rnn_parity.errors import UserError

# Where versions are held against each other, they get this release's inputs
# (they differ between releases only in the dropout masks it drew).
MASKS_FROM = recorded.RELEASES[-1]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One version against another, or against a recorded release."""

    section: str
    dtype: str
    case: str
    version: str
    reference: str

    def __str__(self):
        return (
            f"{self.section} {self.dtype} {self.case}: {self.version} "
            f"against {self.reference}"
        )

    @property
    def release(self):
        """The release whose inputs both sides get."""
        if self.reference in recorded.RELEASES:
            return self.reference
        return MASKS_FROM


def comparisons(
    section_keys=None,
    dtypes=DTYPES,
    case_names=None,
    versions=sections.IMPLEMENTATIONS,
    against=(),
):
    """Each pair of versions, and each version against each release.

    Args:
        section_keys, case_names: by name; all of them if None.
        dtypes: what to run.
        versions: the versions that are examined.
        against: keep only comparisons with one of these versions or
            releases on either side; all if empty.

    Raises:
        UserError: a name is not known, or nothing is left to compare.
    """
    references = [*sections.IMPLEMENTATIONS, *recorded.RELEASES]
    case_names = case_names or tuple(cases.CASES)
    for kind, names, known in (
        ("reference", against, references),
        ("case", case_names, list(cases.CASES)),
    ):
        for name in names:
            if name not in known:
                raise UserError(sections.unknown(kind, name, known))
    keys = [sections.find(k).key for k in section_keys or sections.SECTIONS]
    others = set(versions) | set(against) - set(recorded.RELEASES)
    wanted = [
        Comparison(*of, *pair)
        for of in itertools.product(dict.fromkeys(keys), dtypes, case_names)
        for pair in _pairs(versions, others)
        if not against or set(pair) & set(against)
    ]
    if not wanted:
        raise UserError(
            "nothing to compare; give a second version or a release with "
            "--against"
        )
    return wanted


def _pairs(versions, others):
    ordered = [v for v in sections.IMPLEMENTATIONS if v in others]
    pairs = [
        pair
        for pair in itertools.combinations(ordered, 2)
        if set(pair) & set(versions)
    ]
    return pairs + list(itertools.product(versions, recorded.RELEASES))


def run_all(wanted, jobs=None):
    """Runs comparisons side by side; yields them as they are done.

    Those of one section, case and dtype stay together, since they share
    what the versions compute.

    Args:
        wanted: a list of `Comparison`.
        jobs: processes to use; the number of cores if None. With one, or
            where one is enough, all runs in this process.

    Yields:
        (comparison, differences), group by group, in no set order.
    """
    groups = [list(group) for _, group in itertools.groupby(wanted, _group)]
    jobs = min(jobs or os.cpu_count() or 1, len(groups))
    slow = any({c.version, c.reference} & _SLOW for c in wanted)
    if jobs == 1 or not slow or len(groups) < _WORTH_A_PROCESS:
        for comparison in wanted:
            yield comparison, run(comparison)
        return
    # Forking a process that has TensorFlow's threads is not safe.
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(
        jobs, spawn, _live_and_die_with_the_first_one
    ) as pool:
        try:
            running = [pool.submit(_run_group, group) for group in groups]
            for done in concurrent.futures.as_completed(running):
                yield from done.result()
        except BaseException:
            for process in multiprocessing.active_children():
                process.terminate()
            raise


_SLOW = {"legacy_v1", "tf2"}
_WORTH_A_PROCESS = 4  # groups; starting TensorFlow takes some seconds


def _group(comparison):
    return comparison.section, comparison.dtype, comparison.case


def _run_group(group):
    return [(comparison, run(comparison)) for comparison in group]


def _live_and_die_with_the_first_one():
    """Ctrl-C goes to every process; the first one ends the others.

    However it ends, so do they: nobody else would.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait():
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def run(comparison):
    """All differences of one comparison, in the order of the ladder."""
    section = sections.SECTIONS[comparison.section]
    of = (comparison.section, comparison.case, comparison.dtype)
    observed = observation(*of, comparison.version, comparison.release)
    if comparison.reference in recorded.RELEASES:
        reference = recorded_observation(*of, comparison.reference)
    else:
        reference = observation(*of, comparison.reference, comparison.release)
    return ladder.compare(observed, reference, section, comparison.dtype)


def observation(key, case, dtype, version, release=MASKS_FROM):
    """What a version computes from the inputs that `release` was given."""
    if not sections.SECTIONS[key].masks:
        release = MASKS_FROM  # the inputs are the same: run once
    return _observation(key, case, dtype, version, release)


@functools.cache
def _observation(key, case, dtype, version, release):
    contract = sections.load(key, version)
    inputs = recorded_inputs(key, case, dtype, release)
    return ladder.observe(contract, inputs, dtype)


@functools.cache
def _arrays(path):
    return recorded.read(path)


def recorded_inputs(key, case, dtype, release=MASKS_FROM):
    """The inputs of a case as `rnn_parity.cases.Inputs`, from `recorded/`."""
    section = sections.SECTIONS[key]
    path = recorded.inputs_path(section)
    given = recorded.Case(path, _arrays(path), f"{case}/")
    lengths = given["sequence_length"] if section.lengths else None
    first, training = _recorded_masks(section, case, dtype, release)
    return cases.Inputs(
        config=given.config(),
        params=given.under("params"),
        init_state=given["init_state"],
        batches_x=given["batches_x"],
        batches_y=given["batches_y"],
        dropout_masks=first,
        training_masks=training,
        sequence_length=lengths,
    )


def _recorded_masks(section, case, dtype, release):
    """What the release's own DropoutWrapper drew: first batch, training."""
    if not section.masks:
        return None, None
    path = recorded.release_path(section, release)
    of = recorded.Case(path, _arrays(path), f"{case}/{dtype}/")
    return of.masks("dropout_masks"), of.masks("train/dropout_masks")


def recorded_observation(key, case, dtype, release):
    """What a genuine release computed, sorted onto the ladder.

    Raises:
        UserError: the file is missing, damaged, or was recorded from other
            inputs.
    """
    section = sections.SECTIONS[key]
    path = recorded.release_path(section, release)
    arrays = _arrays(path)
    _must_belong(section, path, arrays)
    of = recorded.Case(path, arrays, f"{case}/{dtype}/")
    forward = Forward(*(of[name] for name in Forward._fields))
    trained = f"step{ladder.steps_of(dtype)}"
    training = Training(
        of["losses"][: ladder.steps_of(dtype)],
        of[f"{trained}/final_state"],
        of.under(f"{trained}/params"),
        of.under(f"{trained}/accumulators"),
    )
    observed = {
        **ladder.forward_rungs(forward),
        **ladder.gradient_rungs(of["loss"], of.under("gradients")),
        **ladder.training_rungs(training),
    }
    if section.masks:
        predicting = (of[f"predict/{name}"] for name in Forward._fields)
        ladder.add_forward(observed, Forward(*predicting), "predicting: ")
    return observed


def _must_belong(section, path, arrays):
    inputs = _arrays(recorded.inputs_path(section))
    seen = recorded.provenance(path, arrays)["inputs_sha256"]
    if seen != recorded.fingerprint(inputs):
        raise UserError(
            f"{path} was recorded from other inputs than "
            f"{recorded.inputs_path(section).name}; record again: make record"
        )
