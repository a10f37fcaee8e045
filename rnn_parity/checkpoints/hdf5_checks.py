"""What an HDF5 file may not do, checked before anything is read from it.

A file can name other files that HDF5 then opens, filters that HDF5 loads as
libraries, and sizes that have nothing to do with its own. What tf.keras and
Keras write does none of that. Source: `H5L`, `H5P` and `H5D` of the HDF5
reference manual.
"""

import math
import os
import zlib

from rnn_parity import files, memory
from rnn_parity.errors import UserError, damaged

_DEEPEST = 100  # groups within groups; Keras' models stay below 20
_CHECKSUM = 4  # bytes that Fletcher-32 adds to a chunk
_TREES = ("model_weights", "optimizer_weights")


def must_be_self_contained(source, what=None):
    """Refuses a file that holds more, or less, than groups and numbers.

    Walks along every link of the file without following one that leads out
    of it. To be called before any library reads from the file.

    Args:
        source: a path, or a binary file that can seek.
        what: it is, for messages; the path by default.

    Raises:
        UserError: it is no HDF5 file, is damaged, refers to other files, has
            a filter that would be loaded, groups in a circle, values that
            are not in the file, or would take too much memory.
    """
    import h5py

    what = source if what is None else what
    if isinstance(source, (str, os.PathLike)):
        files.must_be_regular(source)
        if not os.path.exists(source):
            raise UserError(f"there is no file {source}")
    try:
        with h5py.File(source, "r") as file:
            _Walk(what, file.id.get_filesize()).check(file.id)
    except (UserError, MemoryError):
        raise
    except Exception as error:  # HDF5 has many
        raise damaged(what, error) from None


class _Walk:
    """Along every link of a file."""

    def __init__(self, what, size):
        self.what, self.size = what, size
        self.groups = set()  # addresses of those that were visited
        self.paths = set()  # of all that hard links lead to
        self.soft = []  # pairs (path of a soft link, where it leads)
        self.packed = []  # arguments of `inflate`
        self.stored = self.declared = 0  # bytes
        self.texts = 0  # of any length, most in the attributes of a group

    def check(self, root):
        waiting = [(root, "", 0)]
        while waiting:
            waiting += self.group(*waiting.pop())
        for path, target in self.soft:
            self.must_stay(path, target)
        if self.stored > self.size:
            raise UserError(f"{self.what} is damaged: its datasets overlap")
        # Several of these texts may be the same bytes of the file.
        texts = self.texts * (self.size - self.stored)
        memory.check_file(self.what, self.size, self.declared + texts)
        for packed in self.packed:
            self.inflate(*packed)

    def group(self, group, path, depth):
        """The groups within one, as (group, path, depth)."""
        import h5py

        address = h5py.h5o.get_info(group).addr
        if address in self.groups:
            self.refuse(path, "is a group that is in the file twice")
        if depth > _DEEPEST:
            self.refuse(path, f"is more than {_DEEPEST} groups deep")
        self.groups.add(address)
        self.texts = max(self.texts, _texts_of(group))
        links, within = [], []
        group.links.iterate(
            lambda name, info: links.append((name, info.type)), info=True
        )
        for name, kind in links:
            at = f"{path}/{name.decode(errors='backslashreplace')}"
            if kind == h5py.h5l.TYPE_SOFT:
                self.soft.append((at, group.links.get_val(name).decode()))
                continue
            if kind != h5py.h5l.TYPE_HARD:
                self.refuse(at, "is a link to another file")
            self.paths.add(at)
            found = h5py.h5o.open(group, name)
            if isinstance(found, h5py.h5g.GroupID):
                within.append((found, at, depth + 1))
            elif isinstance(found, h5py.h5d.DatasetID):
                self.dataset(found, at)
            else:
                self.refuse(at, "is neither a group nor a dataset")
        return within

    def refuse(self, path, why):
        raise UserError(
            f"{path.lstrip('/') or 'the root'} of {self.what} {why}, which "
            "Keras does not write; it is not read"
        )

    def must_stay(self, path, target):
        """A soft link may lead to what is in the same tree, and not above."""
        if not target.startswith("/"):
            target = f"{path.rpartition('/')[0]}/{target}"
        inside = target in self.paths and _tree(target) == _tree(path)
        if not inside or path.startswith(f"{target}/"):
            self.refuse(path, f"is a link to {target}")

    def dataset(self, dataset, path):
        """One dataset, from what is written about it."""
        from h5py import h5d, h5s

        made = dataset.get_create_plist()
        layout = made.get_layout()
        if made.get_external_count():
            self.refuse(path, "has its values in another file")
        if layout not in (h5d.COMPACT, h5d.CONTIGUOUS, h5d.CHUNKED):
            self.refuse(path, "takes its values from other datasets")
        filters = self.filters(made, path)
        if dataset.dtype.hasobject:
            self.refuse(path, f"holds {dataset.dtype.metadata or 'objects'}")
        if dataset.get_space().get_simple_extent_type() == h5s.NULL:
            return
        stored = dataset.get_storage_size()
        whole = math.prod(dataset.shape) * dataset.get_type().get_size()
        self.stored += stored
        if layout == h5d.CHUNKED:
            whole = self.chunks(dataset, path, made.get_chunk(), filters)
        elif stored != whole:
            self.refuse(path, f"has {stored} of its {whole} bytes")
        self.declared += max(
            whole, math.prod(dataset.shape) * dataset.dtype.itemsize
        )

    def filters(self, made, path):
        """Codes of a dataset's filters, each of which is built into HDF5."""
        from h5py import h5z

        known = (
            h5z.FILTER_DEFLATE,
            h5z.FILTER_SHUFFLE,
            h5z.FILTER_FLETCHER32,
        )
        found = [made.get_filter(n)[0] for n in range(made.get_nfilters())]
        if len(set(found)) < len(found) or set(found) - set(known):
            self.refuse(path, f"has the filters {found}")
        return found

    def chunks(self, dataset, path, sizes, filters):
        """Bytes that all chunks of a dataset take when they are unpacked.

        HDF5 takes a chunk that is not there for zeros.
        """
        from h5py import h5z

        pairs = list(zip(dataset.shape, sizes, strict=True))
        wanted = math.prod(-(-size // chunk) for size, chunk in pairs)
        there = dataset.get_num_chunks()
        if there != wanted:
            self.refuse(path, f"has {there} of its {wanted} chunks")
        whole = math.prod(sizes) * dataset.get_type().get_size()
        if h5z.FILTER_DEFLATE in filters:
            self.packed.append((dataset, path, whole))
        return wanted * whole

    def inflate(self, dataset, path, whole):
        """Sees that no chunk is larger than it says, as HDF5 does not."""
        chunks = []
        dataset.chunk_iter(chunks.append)
        for chunk in chunks:
            skipped, content = dataset.read_direct_chunk(chunk.chunk_offset)
            inflating = zlib.decompressobj()
            size = len(inflating.decompress(content, whole + 2 * _CHECKSUM))
            fits = size in (whole, whole + _CHECKSUM)
            if skipped or not inflating.eof or not fits:
                self.refuse(path, "has a chunk of another size than it says")


def _texts_of(group):
    """How many texts of any length are in a group's attributes."""
    from h5py import h5a

    count = 0
    for index in range(h5a.get_num_attrs(group)):
        attribute = h5a.open(group, index=index)
        if attribute.dtype.hasobject:
            count += attribute.get_space().get_simple_extent_npoints()
    return count


def _tree(path):
    top = path.split("/")[1]
    return top if top in _TREES else ""
