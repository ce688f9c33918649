//! A table as an Apache Parquet file: the cells of the rows as columns of texts, numbers and times.

use std::{io, mem, sync::Arc};

use lgpki_domain::Timestamp;
use parquet::{
    data_type::{ByteArray, ByteArrayType, Int64Type},
    errors::ParquetError,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};

use super::{CELLS, COLUMNS, Cells, Sheet};

/// Rows of a group, of which one is in memory at a time.
const GROUP_ROWS: usize = 65_536;
/// Bytes of a group's cells, about.
const GROUP_BYTES: usize = 64 << 20;

/// What a column holds. Where a cell is empty, it holds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Text,
    Number,
    Time,
}

fn holds(column: &str) -> Holds {
    match column {
        "leaf" | "index" | "v" | "answers_index" => Holds::Number,
        "time" => Holds::Time,
        _ => Holds::Text,
    }
}

/// A Parquet file that is being written.
pub(super) struct Table {
    writer: SerializedFileWriter<Sheet>,
    rows: Vec<Cells>,
    bytes: usize,
}

fn other(error: ParquetError) -> io::Error {
    io::Error::other(error)
}

impl Table {
    pub(super) fn begin(sheet: Sheet) -> io::Result<Self> {
        let columns = COLUMNS.split(',').map(|column| match holds(column) {
            Holds::Text => format!("OPTIONAL BYTE_ARRAY {column} (STRING);"),
            Holds::Number => format!("OPTIONAL INT64 {column};"),
            Holds::Time => format!("OPTIONAL INT64 {column} (TIMESTAMP(MILLIS,true));"),
        });
        let schema = format!("message entries {{ {} }}", columns.collect::<String>());
        let schema = Arc::new(parse_message_type(&schema).map_err(other)?);
        // The file follows from the entries alone, whatever program wrote it when.
        let properties = WriterProperties::builder()
            .set_created_by("lgpki".to_owned())
            .build();
        Ok(Self {
            writer: SerializedFileWriter::new(sheet, schema, Arc::new(properties))
                .map_err(other)?,
            rows: Vec::new(),
            bytes: 0,
        })
    }

    pub(super) fn row(&mut self, cells: Cells) -> io::Result<()> {
        self.bytes += cells.iter().map(String::len).sum::<usize>();
        self.rows.push(cells);
        if self.rows.len() >= GROUP_ROWS || self.bytes >= GROUP_BYTES {
            self.group().map_err(other)?;
        }
        Ok(())
    }

    pub(super) fn end(mut self) -> io::Result<Sheet> {
        if !self.rows.is_empty() {
            self.group().map_err(other)?;
        }
        self.writer.into_inner().map_err(other)
    }

    fn group(&mut self) -> Result<(), ParquetError> {
        self.bytes = 0;
        let rows = mem::take(&mut self.rows);
        let mut group = self.writer.next_row_group()?;
        for (at, column) in COLUMNS.split(',').enumerate().take(CELLS) {
            let cells = rows.iter().map(|row| row[at].as_str());
            let Some(mut writer) = group.next_column()? else {
                break;
            };
            match holds(column) {
                Holds::Text => {
                    let values =
                        cells.map(|cell| (!cell.is_empty()).then(|| ByteArray::from(cell)));
                    let (values, there) = apart(values);
                    let writer = writer.typed::<ByteArrayType>();
                    writer.write_batch(&values, Some(&there), None)?;
                }
                Holds::Number => {
                    let (values, there) = apart(cells.map(|cell| cell.parse().ok()));
                    let writer = writer.typed::<Int64Type>();
                    writer.write_batch(&values, Some(&there), None)?;
                }
                Holds::Time => {
                    let time = |cell: &str| cell.parse().ok().map(Timestamp::as_millis);
                    let (values, there) = apart(cells.map(time));
                    let writer = writer.typed::<Int64Type>();
                    writer.write_batch(&values, Some(&there), None)?;
                }
            }
            writer.close()?;
        }
        group.close()?;
        Ok(())
    }
}

/// The values that are there, and of each cell whether it is (1) or not (0).
fn apart<T>(cells: impl Iterator<Item = Option<T>>) -> (Vec<T>, Vec<i16>) {
    let (mut values, mut there) = (Vec::new(), Vec::new());
    for cell in cells {
        there.push(i16::from(cell.is_some()));
        values.extend(cell);
    }
    (values, there)
}

#[cfg(test)]
mod tests {
    use parquet::{
        file::{reader::FileReader as _, serialized_reader::SerializedFileReader},
        record::Field,
    };

    use super::*;

    #[test]
    fn rows_read_back_with_numbers_times_and_what_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.parquet");
        let mut table = Table::begin(Sheet::create(&path).unwrap()).unwrap();
        for leaf in 0..3_u32 {
            let mut cells: Cells = Default::default();
            cells[0] = "issuer".to_owned();
            cells[2] = leaf.to_string();
            cells[4] = "2011-02-03T12:00:00.007+09:00".to_owned();
            cells[15] = format!("{{\"名\":{leaf}}}");
            table.row(cells).unwrap();
        }
        table.end().unwrap().end().unwrap();
        let file = std::fs::File::open(&path).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        assert_eq!(reader.metadata().file_metadata().num_rows(), 3);
        let rows = reader.get_row_iter(None).unwrap();
        for (leaf, row) in rows.enumerate() {
            let row = row.unwrap();
            let cells: Vec<(&String, &Field)> = row.get_column_iter().collect();
            let names: Vec<_> = cells.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names.join(","), COLUMNS);
            assert_eq!(cells[0].1, &Field::Str("issuer".to_owned()));
            assert_eq!(cells[2].1, &Field::Long(i64::try_from(leaf).unwrap()));
            assert_eq!(cells[3].1, &Field::Null);
            assert_eq!(cells[4].1, &Field::TimestampMillis(1_296_702_000_007));
            assert_eq!(cells[15].1, &Field::Str(format!("{{\"名\":{leaf}}}")));
        }
    }
}
