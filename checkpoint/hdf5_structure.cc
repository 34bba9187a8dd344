#include "checkpoint/hdf5_structure.h"

#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "base/check.h"
#include "checkpoint/error.h"

namespace phalanx::checkpoint {
namespace {

// HDF5 may be built without thread safety.
std::mutex hdf5_mutex;

template <typename Result>
Result accept(Result result, const char* call) {
  if (result < 0) throw CheckpointError(fmt::format("HDF5's {} failed", call));
  return result;
}

class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t), const char* call)
      : id_(accept(id, call)), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  operator hid_t() const { return id_; }
  void close(const char* call) { accept(close_(std::exchange(id_, -1)), call); }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

Handle dataspace(const std::vector<std::int64_t>& extent) {
  if (extent.empty()) return {H5Screate(H5S_SCALAR), H5Sclose, "H5Screate"};
  const std::vector<hsize_t> sizes(extent.begin(), extent.end());
  return {H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr), H5Sclose,
          "H5Screate_simple"};
}

void add_attribute(hid_t dataset, const char* name, const std::vector<std::int64_t>& values) {
  const hsize_t count = values.size();
  const Handle space(values.empty() ? H5Screate(H5S_NULL) : H5Screate_simple(1, &count, nullptr),
                     H5Sclose, "H5Screate");
  const Handle attribute(H5Acreate2(dataset, name, H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT),
                         H5Aclose, "H5Acreate");
  if (!values.empty()) accept(H5Awrite(attribute, H5T_NATIVE_INT64, values.data()), "H5Awrite");
}

// Named by the row it starts at; where it starts inside of a row, by all its offsets.
std::string dataset_path(const StateView& view) {
  const auto& offset = view.region.offset;
  const bool whole_rows = std::all_of(offset.begin() + (offset.empty() ? 0 : 1), offset.end(),
                                      [](std::int64_t value) { return value == 0; });
  const std::string name = offset.empty() ? "0"
                           : whole_rows   ? std::to_string(offset.front())
                                          : fmt::format("{}", fmt::join(offset, "_"));
  check(view.region.tensor.find('/') == std::string::npos, "a tensor's name holds no slash");
  return fmt::format("/{}/{}/{}", view.kind, view.region.tensor, name);
}

// Space for the data is reserved at once and never filled; times would make equal shards differ.
Handle dataset_properties() {
  Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "H5Pcreate");
  accept(H5Pset_layout(properties, H5D_CONTIGUOUS), "H5Pset_layout");
  accept(H5Pset_alloc_time(properties, H5D_ALLOC_TIME_EARLY), "H5Pset_alloc_time");
  accept(H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER), "H5Pset_fill_time");
  accept(H5Pset_obj_track_times(properties, false), "H5Pset_obj_track_times");
  return properties;
}

// Large datasets begin at a page, for whoever maps the file.
Handle create_file(MemoryImage& image) {
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "H5Pcreate");
  accept(use_memory_driver(access, image), "H5Pset_driver");
  accept(H5Pset_alignment(access, 65536, 4096), "H5Pset_alignment");
  return {H5Fcreate("shard", H5F_ACC_TRUNC, H5P_DEFAULT, access), H5Fclose, "H5Fcreate"};
}

Hdf5Structure lay_out(std::span<const GlobalTensor> tensors, std::span<const StateView> views) {
  std::map<std::string, const GlobalTensor*> by_name;
  for (const auto& tensor : tensors) by_name[tensor.name] = &tensor;
  const std::lock_guard lock(hdf5_mutex);
  accept(H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr), "H5Eset_auto");
  Hdf5Structure structure;
  Handle file = create_file(structure.image);
  const Handle properties = dataset_properties();
  const Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose, "H5Pcreate");
  accept(H5Pset_create_intermediate_group(links, 1), "H5Pset_create_intermediate_group");
  for (const auto& view : views) {
    const auto tensor = by_name.find(view.region.tensor);
    check(tensor != by_name.end(), "every view is of a tensor that is named");
    const Handle space = dataspace(view.region.extent);
    const Handle dataset(H5Dcreate2(file, dataset_path(view).c_str(), H5T_IEEE_F32LE, space, links,
                                    properties, H5P_DEFAULT),
                         H5Dclose, "H5Dcreate");
    add_attribute(dataset, "offset", view.region.offset);
    add_attribute(dataset, "global_shape", tensor->second->shape);
    structure.positions.push_back(H5Dget_offset(dataset));
    check(structure.positions.back() != HADDR_UNDEF, "a dataset's space is reserved at once");
  }
  file.close("H5Fclose");
  return structure;
}

}  // namespace

Hdf5Structure lay_out_hdf5(const std::string& path, std::span<const GlobalTensor> tensors,
                           std::span<const StateView> views) {
  try {
    return lay_out(tensors, views);
  } catch (const CheckpointError& error) {
    throw CheckpointError(path + ": cannot be laid out: " + error.what());
  }
}

}  // namespace phalanx::checkpoint
