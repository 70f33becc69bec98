//! Frames that are whole and cannot be understood: out of the way, and kept.

use std::path::PathBuf;

use super::{
    QUARANTINE_NAME, Spool, SpooledFrame,
    cursor::{Place, remove_if_there},
    error::SpoolError,
    fs::{Fs, FsFile},
    segment::Header,
};

impl<F: Fs> Spool<F> {
    /// Keeps a frame in a file of its own in the quarantine, and says where. Its caller may then advance over it.
    ///
    /// The file is a segment with this one frame. A version of chunkwise that understands it writes it when it finds the
    /// file in the folder of its spool, under the name of the segment that the frame was in: the part of the file's name
    /// before the `-`, and `.seg`.
    ///
    /// Blocks for three syncs of the disk; when it returns, the file is durable. The same frame may be set aside again.
    pub fn set_aside(&self, frame: &SpooledFrame) -> Result<PathBuf, SpoolError> {
        let Place { segment, offset, .. } = frame.place();
        let header = Header::new(segment);
        let mut bytes = header.encode();
        bytes.extend_from_slice(&header.marker);
        frame.frame().encode(&mut bytes)?;

        let folder = self.folder.join(QUARANTINE_NAME);
        let name = format!("{segment:020}-{offset}.seg");
        let path = folder.join(&name);
        let failed = |source| SpoolError::io("set a request aside in", &path, source);
        self.fs.create_folder(&folder).map_err(failed)?;
        let is_new = !self.fs.list(&folder).map_err(failed)?.contains(&name);
        remove_if_there(&self.fs, &path).map_err(failed)?;
        let file = self.fs.create(&path).map_err(failed)?;
        file.append(&bytes).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        self.fs.sync_folder(&folder).map_err(failed)?;
        self.log().quarantined_segments += u64::from(is_new);
        Ok(path)
    }
}
