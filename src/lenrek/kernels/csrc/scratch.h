// Zeroed working memory of a call: one piece per part, a cache line apart, so that threads do not share any.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace {

template <class T>
class Scratch {
  public:
    Scratch(long long count, int parts = 1) : bytes_((count * sizeof(T) + 127) / 64 * 64) {
        data_ = static_cast<char*>(aligned_alloc(64, bytes_ * parts));
        if (!data_) {
            fprintf(stderr, "lenrek: out of memory for %lld bytes of scratch\n", static_cast<long long>(bytes_) * parts);
            abort();
        }
        memset(data_, 0, bytes_ * parts);
    }
    ~Scratch() { free(data_); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    T* operator[](int part) const { return reinterpret_cast<T*>(data_ + bytes_ * part); }

  private:
    size_t bytes_;
    char* data_;
};

}  // namespace
